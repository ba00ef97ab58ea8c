package static

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

// inflaters are readers to be used again: each has a window of 32 KiB.
var inflaters = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}

// Reader reads a file's content. It inflates what is read, and what lies before that; to seek
// costs nothing until then. It may be closed while it reads.
type Reader struct {
	f *File

	mu     sync.Mutex    // guards all below
	at     int64         // where the next Read begins
	raw    *bytes.Reader // of a file that is not deflated, or what inflate reads
	flate  io.ReadCloser // nil: nothing was read yet
	done   int64         // how much flate has returned
	closed bool
}

// Open returns a reader of the file's content, for the caller to close.
func (f *File) Open() *Reader { return &Reader{f: f, raw: bytes.NewReader(f.raw)} }

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return 0, errors.New("read a file that was closed")
	case r.at >= r.f.Size:
		return 0, io.EOF
	case r.f.flat:
		n, err := r.raw.ReadAt(p[:min(int64(len(p)), r.f.Size-r.at)], r.at)
		r.at += int64(n)
		return n, err
	}
	if err := r.inflateTo(r.at); err != nil {
		return 0, err
	}
	n, err := r.flate.Read(p[:min(int64(len(p)), r.f.Size-r.at)])
	r.at += int64(n)
	r.done += int64(n)
	return n, r.whole(err)
}

// inflateTo brings flate to an offset, from the beginning if it is beyond.
func (r *Reader) inflateTo(at int64) error {
	if r.flate == nil || r.done > at {
		if r.flate == nil {
			r.flate = inflaters.Get().(io.ReadCloser)
		}
		r.done = 0
		r.raw.Reset(r.f.raw)
		if err := r.flate.(flate.Resetter).Reset(r.raw, nil); err != nil {
			return err
		}
	}
	n, err := io.CopyN(io.Discard, r.flate, at-r.done)
	r.done += n
	return r.whole(err)
}

// whole makes an end that comes too early an error: the file was whole when it was opened.
func (r *Reader) whole(err error) error {
	switch {
	case err == nil, errors.Is(err, io.EOF) && r.done == r.f.Size:
		return err
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return bad("%s: %v", r.f.Name, err)
}

// Seek implements io.Seeker.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, err := seek(r.at, r.f.Size, offset, whence)
	if err == nil {
		r.at = at
	}
	return at, err
}

func seek(at, size, offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += at
	case io.SeekEnd:
		offset += size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning of a file")
	}
	return offset, nil
}

// Close gives back what the reader holds.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flate != nil {
		inflaters.Put(r.flate)
		r.flate = nil
	}
	r.closed = true
	return nil
}

// gzipHead is the head of a gzip file (RFC 1952) without a name and a time.
var gzipHead = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255}

// gzipReader reads a deflated file as gzip. What all readers of a file have in common, they
// share.
type gzipReader struct {
	parts [3][]byte
	size  int64
	at    int64
	tail  [8]byte
}

// OpenGzip returns a reader of the file in gzip's format, whose body is what the archive has;
// ok is false for a file that compressing did not make smaller.
func (f *File) OpenGzip() (r io.ReadSeeker, ok bool) {
	if f.flat {
		return nil, false
	}
	g := &gzipReader{size: f.GzipSize()}
	binary.LittleEndian.PutUint32(g.tail[:4], f.crc)
	binary.LittleEndian.PutUint32(g.tail[4:], uint32(f.Size))
	g.parts = [3][]byte{gzipHead, f.raw, g.tail[:]}
	return g, true
}

// GzipSize is the length of the file in gzip's format.
func (f *File) GzipSize() int64 { return int64(len(f.raw) + len(gzipHead) + 8) }

// Read implements io.Reader.
func (g *gzipReader) Read(p []byte) (n int, err error) {
	at := g.at
	for _, part := range g.parts {
		if size := int64(len(part)); at >= size {
			at -= size
			continue
		}
		n += copy(p[n:], part[at:])
		at = 0
	}
	g.at += int64(n)
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Seek implements io.Seeker.
func (g *gzipReader) Seek(offset int64, whence int) (int64, error) {
	at, err := seek(g.at, g.size, offset, whence)
	if err == nil {
		g.at = at
	}
	return at, err
}
