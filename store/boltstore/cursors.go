package boltstore

import (
	"context"
	"errors"

	"github.com/agora-host/agora/abi"
)

// bCursors holds, by name, up to which revision a durable follower has seen every event.
const bCursors = "cursors"

var errNoCursor = errors.New("no cursor")

// Cursor returns how far a durable follower is.
func (s *Store) Cursor(ctx context.Context, follower string) (rev abi.Rev, known bool, err error) {
	err = s.view(ctx, func(r *reader) (err error) {
		rev, err = get[abi.Rev](r.tx, bCursors, key(follower), errNoCursor)
		return err
	})
	if errors.Is(err, errNoCursor) {
		return 0, false, nil
	}
	return rev, err == nil, err
}

// SetCursor moves a durable follower's cursor on. Like all that a node notes by itself it makes no
// revision.
func (s *Store) SetCursor(ctx context.Context, follower string, rev abi.Rev) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return commit(s.file, func(w *writer) error { return w.follower(follower, rev) })
}

// follower moves a durable follower's cursor on, unless it is further.
func (w *writer) follower(name string, rev abi.Rev) error {
	was, err := get[abi.Rev](w.tx, bCursors, key(name), errNoCursor)
	if err == nil && was >= rev || err != nil && !errors.Is(err, errNoCursor) {
		return err
	}
	return put(w, bCursors, key(name), rev)
}
