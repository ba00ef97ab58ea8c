package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Tail is how a journal ends.
type Tail struct {
	Last     uint64 // number of the last record before anything that is not whole
	Whole    int64  // bytes up to its end
	Torn     bool   // bytes follow that are no record, as a kill or the loss of power leaves them
	Damaged  bool   // something is unreadable that was on the disk for certain once
	Unproven int    // whole records that come after what is not whole
	Closed   bool   // the journal was closed, and all of it is here
}

func (t Tail) String() string {
	switch {
	case t.Damaged:
		return fmt.Sprintf("damaged after record %d; %d whole records follow", t.Last, t.Unproven)
	case t.Torn:
		return fmt.Sprintf("torn after record %d", t.Last)
	}
	return fmt.Sprintf("whole, %d records", t.Last)
}

// ReadHeader returns what a journal says of itself, and leaves r behind it.
func ReadHeader(r *bufio.Reader) (Header, error) {
	h, _, err := header(r)
	return h, err
}

func header(r *bufio.Reader) (Header, uint32, error) {
	b, err := r.Peek(headerSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return Header{}, 0, err
	}
	if leadingZeros(b) == len(b) {
		return Header{}, 0, unwritten(r)
	}
	h, salt, err := decodeHeader(b)
	if err == nil {
		_, err = r.Discard(headerSize)
	}
	return h, salt, err
}

// unwritten returns ErrNoHeader if nothing but zeros follows: the file was made, and
// nothing of it written.
func unwritten(r *bufio.Reader) error {
	for {
		_, err := r.Peek(1)
		if errors.Is(err, io.EOF) {
			return ErrNoHeader
		}
		if err != nil {
			return err
		}
		b, _ := r.Peek(r.Buffered())
		if leadingZeros(b) < len(b) {
			return ErrNotJournal
		}
		_, _ = r.Discard(len(b))
	}
}

// Read returns every whole record in order, each valid until the next. proven is
// false for those behind something that is not whole: they were written, and
// what is between is not known. It holds one record in memory. An error of each
// ends it.
func Read(from io.Reader, each func(r Record, proven bool) error) (Header, Tail, error) {
	r := bufio.NewReaderSize(from, 2*maxBody)
	h, salt, err := header(r)
	if err != nil {
		return h, Tail{}, err
	}
	s := scanner{r: r, salt: salt, each: each, tail: Tail{Whole: headerSize}}
	err = s.scan()
	return h, s.tail, err
}

type scanner struct {
	r    *bufio.Reader
	salt uint32
	each func(Record, bool) error
	tail Tail
	last uint64 // number of the last whole record, wherever it was
	hole bool   // something was not whole
}

func (s *scanner) scan() error {
	for {
		rec, size, err := s.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if size == 0 {
			s.hole = true
			if err := s.skip(); err != nil {
				return err
			}
			continue
		}
		if err := s.whole(rec, size); err != nil {
			return err
		}
		if _, err := s.r.Discard(size); err != nil {
			return err
		}
	}
}

// whole takes a record whose checksum matches.
func (s *scanner) whole(rec Record, size int) error {
	if rec.Seq != s.last+1 {
		s.hole = true
	}
	s.last = rec.Seq
	if s.hole {
		s.tail.Unproven++
		s.tail.Torn = true
		s.tail.Damaged = s.tail.Damaged || rec.Known > s.tail.Last
	} else {
		s.tail.Last = rec.Seq
		s.tail.Whole += int64(size)
	}
	if rec.Durability == end {
		s.tail.Closed = !s.hole
		return nil
	}
	return s.each(rec, !s.hole)
}

// next looks at the bytes that come: size is 0 if they are no record.
func (s *scanner) next() (rec Record, size int, err error) {
	prefix, err := s.r.Peek(prefixSize)
	if len(prefix) < prefixSize {
		if len(prefix) > 0 && errors.Is(err, io.EOF) {
			return rec, 0, nil
		}
		return rec, 0, err
	}
	n := frameSize(prefix)
	if n == 0 {
		return rec, 0, nil
	}
	frame, err := s.r.Peek(n)
	if len(frame) < n {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return rec, 0, err
	}
	// Numbers only grow: what does not is a trick of the bytes.
	if rec, ok := decodeFrame(frame, s.salt); ok && rec.Seq > s.last {
		return rec, n, nil
	}
	return rec, 0, nil
}

// skip goes one byte on, or over all zeros that are at hand.
func (s *scanner) skip() error {
	b, err := s.r.Peek(1)
	if err != nil {
		return err
	}
	if b[0] != 0 {
		s.tail.Torn = true
		_, err = s.r.Discard(1)
		return err
	}
	b, _ = s.r.Peek(s.r.Buffered())
	_, err = s.r.Discard(leadingZeros(b))
	return err
}

func leadingZeros(b []byte) (n int) {
	for n+8 <= len(b) && binary.LittleEndian.Uint64(b[n:]) == 0 {
		n += 8
	}
	for n < len(b) && b[n] == 0 {
		n++
	}
	return n
}
