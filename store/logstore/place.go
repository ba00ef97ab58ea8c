package logstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// Place is where a line begins: in the file that begins with some line, at an offset. It stays the
// place of its line when the file is renamed, by this process or another one.
type Place struct {
	file   [8]byte // see nameOf
	offset uint64
}

// placed is a line with its place.
type placed struct {
	Line
	at Place
}

// nameOf tells the files of an app apart: each begins with another line, at another time.
func nameOf(raw []byte) (name [8]byte) {
	first, _, _ := bytes.Cut(raw, []byte("\n"))
	sum := sha256.Sum256(first)
	copy(name[:], sum[:])
	return name
}

// Bytes returns a place for ParsePlace.
func (p Place) Bytes() []byte { return binary.BigEndian.AppendUint64(p.file[:], p.offset) }

// ParsePlace reads what Bytes returned. It reports whether it is that.
func ParsePlace(raw []byte) (p Place, ok bool) {
	if len(raw) != len(p.file)+8 {
		return p, false
	}
	copy(p.file[:], raw)
	p.offset = binary.BigEndian.Uint64(raw[len(p.file):])
	return p, true
}

// Before returns the newest lines of an app before a place, or before the end of its log if that is
// nil, oldest first, and the place of the first of them; nil if there are no lines before it. Lines
// that are not kept any more are none: what was behind a place in their file is passed over.
func (s *Store) Before(app string, end *Place, n int) (lines []Line, next *Place, err error) {
	all, err := s.read(app, nil)
	if err != nil {
		return nil, nil, err
	}
	if end != nil {
		all = all[:countBefore(all, *end)]
	}
	first := max(0, len(all)-n)
	for _, l := range all[first:] {
		lines = append(lines, l.Line)
	}
	if first > 0 && first < len(all) {
		next = &all[first].at
	}
	return lines, next, nil
}

// countBefore returns how many lines are before a place: none if its file is gone, since all that is
// kept came after it.
func countBefore(all []placed, end Place) int {
	last := -1
	for i, l := range slices.Backward(all) {
		if l.at.file == end.file && l.at.offset < end.offset {
			last = i
			break
		}
		if l.at.file == end.file {
			last = i - 1 // of the file before, unless an earlier one of this file is found
		}
	}
	return last + 1
}
