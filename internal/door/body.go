package door

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
)

// body is a request's body. What is read from it is held until the request ends.
type body struct {
	io.ReadCloser
	e    *Exchange
	w    http.ResponseWriter
	left int64 // of what was announced; negative if nothing was
	free bool  // what is read is not held
	err  error // why it cannot be read on
}

// Unheld tells the door that the body of the request of ctx is not kept in memory, or that
// whoever keeps it there bounds that in another way. It is called before the body is read.
func Unheld(ctx context.Context) {
	if e := Of(ctx); e != nil && e.body != nil {
		e.body.free = true
	}
}

// Read takes room for what may come before it reads, and gives back what did not come.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	room := int64(len(p))
	if b.left >= 0 {
		room = min(room, b.left)
	}
	if !b.free && room > 0 {
		if err := b.e.take(bodies, room); err != nil {
			return 0, b.fail(err)
		}
	}
	n, err := b.read(p)
	if !b.free && room > int64(n) {
		b.e.give(bodies, room-int64(n))
	}
	if b.left >= 0 {
		b.left -= int64(n)
	}
	switch {
	case errors.Is(err, io.EOF):
		b.e.sending.Store(false)
	case err != nil:
		return n, b.fail(b.cause(err))
	}
	return n, err
}

// read reads, and measures the wait for a stream: what comes on its connection is of all streams.
func (b *body) read(p []byte) (int, error) {
	if b.e.stream == nil {
		return b.ReadCloser.Read(p)
	}
	n, err := b.e.measured(&b.e.in, b.ReadCloser.Read, p)
	b.e.c.chat.allow(chatOfBody * int64(n))
	return n, err
}

// cause says why a body could not be read.
func (b *body) cause(err error) error {
	b.e.mu.Lock()
	defer b.e.mu.Unlock()
	if b.e.late && errors.Is(err, os.ErrDeadlineExceeded) {
		return b.e.lateFrom
	}
	return fmt.Errorf("%w: %w", ErrBadBody, err)
}

// fail ends the body. A connection of HTTP/1.1 is not used again: where the next request begins
// on it is unknown, or too far away.
func (b *body) fail(err error) error {
	b.err = err
	if b.e.stream == nil {
		b.w.Header()["Connection"] = closing
	}
	return err
}
