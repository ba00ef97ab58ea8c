//go:build !linux

package engine

import "bytes"

const mapNoReserve = 0

// discard makes memory zero.
func discard(b []byte) { clear(b) }

// pages is the memory of an image. Without Linux's ways to find out what a
// request wrote, all of it is copied back.
type pages struct {
	view   []byte
	filled int64 // bytes of it that take memory
}

func newPages(memory []byte) (*pages, error) {
	return &pages{bytes.Clone(memory), int64(len(memory))}, nil
}

func (p *pages) like([]byte) (*pages, error) { return nil, nil }

func (p *pages) close() error { return nil }

func (p *pages) adopt(s *slot) error {
	copy(s.space, p.view)
	return nil
}

func (p *pages) restore(s *slot) { copy(s.space, p.view) }
