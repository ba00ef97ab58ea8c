package node

import (
	"context"
	"io"
	"time"
)

// pace lets long work in the background take a share of the time only, so that
// requests are served as ever: after each stretch of work it rests several times
// as long.
type pace struct {
	ctx   context.Context
	times time.Duration
	since time.Time
}

const (
	// A stretch is short beside what a request takes whose p99 should not grow, and
	// so is the time that a piece takes to be compressed.
	stretch = 200 * time.Microsecond
	piece   = 4 << 10
	restFor = 3                     // as long, if nothing else is said
	maxRest = 50 * time.Millisecond // a disk that is slow is no reason to be slower still
)

func newPace(ctx context.Context, times time.Duration) *pace { return &pace{ctx, times, time.Now()} }

// rest rests when it is time; a nil pace never does.
func (p *pace) rest() error {
	if p == nil {
		return nil
	}
	worked := time.Since(p.since)
	if worked < stretch {
		return p.ctx.Err()
	}
	t := time.NewTimer(min(p.times*worked, maxRest))
	defer t.Stop()
	select {
	case <-p.ctx.Done():
	case <-t.C:
	}
	p.since = time.Now()
	return p.ctx.Err()
}

type pacedWriter struct {
	w io.Writer
	*pace
}

// Write writes some at a time, and rests between.
func (p pacedWriter) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		if err := p.rest(); err != nil {
			return n, err
		}
		part := b[:min(len(b), piece)]
		m, err := p.w.Write(part)
		n += m
		if err != nil {
			return n, err
		}
		b = b[m:]
	}
	return n, nil
}
