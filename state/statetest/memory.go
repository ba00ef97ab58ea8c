package statetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// Memory is a store in maps: what every backend must be indistinguishable from. It has no index and
// no counter: each list is sorted, and each count is made by listing, when it is asked for.
type Memory struct {
	now func() time.Time

	writing sync.Mutex // held by whoever changes something, so that changes are one after the other
	mu      sync.Mutex // guards all below
	last    *tables
	changed chan struct{}
}

var _ state.Store = (*Memory)(nil)

// NewMemory makes an empty store with a clock.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{now: now, last: &tables{rows: map[string]map[string][]byte{}}, changed: make(chan struct{})}
}

// tables are all records as JSON, by table and key: what is read is a copy. A revision's tables never
// change once it is committed.
type tables struct {
	rev         abi.Rev
	requests    uint64 // numbers given out
	activations uint64
	issued      uint64
	rows        map[string]map[string][]byte
	counted     atomic.Pointer[map[counted]state.Count] // what counts has made of them; nil: nothing yet
}

func (t *tables) clone() *tables {
	c := &tables{rev: t.rev, requests: t.requests, activations: t.activations, issued: t.issued, rows: map[string]map[string][]byte{}}
	for name, rows := range t.rows {
		c.rows[name] = maps.Clone(rows)
	}
	return c
}

func (t *tables) put(table, key string, v any) error {
	raw, err := json.Marshal(v)
	if t.rows[table] == nil {
		t.rows[table] = map[string][]byte{}
	}
	t.rows[table][key] = raw
	t.counted.Store(nil)
	return err
}

// drop deletes a record, or returns missing.
func (t *tables) drop(table, key string, missing error) error {
	if _, ok := t.rows[table][key]; !ok {
		return missing
	}
	delete(t.rows[table], key)
	t.counted.Store(nil)
	return nil
}

func get[T any](t *tables, table, key string, missing error) (v T, err error) {
	raw, ok := t.rows[table][key]
	if !ok {
		return v, missing
	}
	return v, json.Unmarshal(raw, &v)
}

// row is a record and its place in a list.
type row[T any] struct {
	place string
	value T
}

// rows are the records for which belongs returns true, in the order of the places that it gives them.
func rows[T any](t *tables, table string, belongs func(key string, v T) (place string, ok bool)) ([]row[T], error) {
	var all []row[T]
	for key, raw := range t.rows[table] {
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			return nil, err
		}
		if place, ok := belongs(key, v); ok {
			all = append(all, row[T]{place, v})
		}
	}
	slices.SortFunc(all, func(a, b row[T]) int { return strings.Compare(a.place, b.place) })
	return all, nil
}

// byKey are the records for which keep returns true, in the order of their keys.
func byKey[T any](t *tables, table string, keep func(T) bool) ([]row[T], error) {
	return rows(t, table, func(key string, v T) (string, bool) { return key, keep == nil || keep(v) })
}

// part cuts a part out of a list.
func part[T any](all []row[T], err error, p state.Part, newest bool) (found []T, next []byte, _ error) {
	if newest {
		slices.Reverse(all)
	}
	for i, r := range all {
		if p.After != nil && (r.place == string(p.After) || (r.place < string(p.After)) != newest) {
			continue
		}
		if len(found) == p.Limit {
			return found, []byte(all[i-1].place), err
		}
		found = append(found, r.value)
	}
	return found, nil, err
}

func whole[T any](all []row[T], err error, newest bool) ([]T, error) {
	found, _, err := part(all, err, state.Part{Limit: -1}, newest)
	return found, err
}

// key joins the parts of a key.
func key(parts ...string) string { return strings.Join(parts, "\x00") }

// number is a part of a key that sorts as a number.
func number[N int | int64 | uint64 | abi.Rev](n N) string { return fmt.Sprintf("%020d", n) }

// moment is a part of a key that sorts as a time.
func moment(t time.Time) string { return number(max(0, t.UnixNano())) }

func (m *Memory) current() *tables {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// View reads.
func (m *Memory) View(ctx context.Context, read func(state.Reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return read(&reader{tables: m.current(), at: m.now().UTC()})
}

// Update changes everything or nothing.
func (m *Memory) Update(ctx context.Context, by string, change func(state.Tx) error) (abi.Rev, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	var rev abi.Rev
	err := m.change(func(next *tables) error {
		next.rev++
		rev = next.rev
		return change(&transaction{reader: &reader{tables: next, at: m.now().UTC()}, before: m.current(), by: by})
	})
	if err != nil {
		return 0, err
	}
	return rev, nil
}

func (m *Memory) change(apply func(next *tables) error) error {
	m.writing.Lock()
	defer m.writing.Unlock()
	next := m.current().clone()
	if err := apply(next); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = next
	close(m.changed)
	m.changed = make(chan struct{})
	return nil
}

// Rev is the last committed revision.
func (m *Memory) Rev(ctx context.Context) (abi.Rev, error) { return m.current().rev, ctx.Err() }

// Events lists events.
func (m *Memory) Events(ctx context.Context, q state.EventQuery) (all []abi.Event, err error) {
	err = m.View(ctx, func(tx state.Reader) error {
		all, _, err = tx.Events(q, nil)
		return err
	})
	return all, err
}

// Wait returns once there is a revision after the given one.
func (m *Memory) Wait(ctx context.Context, after abi.Rev) error {
	for {
		m.mu.Lock()
		rev, changed := m.last.rev, m.changed
		m.mu.Unlock()
		if rev > after {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// AddUsed adds to what releases did, and to what all of an app did.
func (m *Memory) AddUsed(_ context.Context, all []approvals.ReleaseUsed) error {
	return m.change(func(next *tables) (err error) {
		for _, r := range all {
			for _, n := range []int{r.Release, allReleases} {
				k := key(r.App, number(n))
				known, getErr := get[[]approvals.Used](next, "uses", k, nil)
				err = errors.Join(err, getErr, next.put("uses", k, approvals.MergeUsed(known, r.Used)))
			}
		}
		return err
	})
}

// allReleases is the number under which it stands what all releases of an app did.
const allReleases = 0

// TokensUsed notes when credentials were used last.
func (m *Memory) TokensUsed(_ context.Context, at map[string]time.Time) error {
	return m.change(func(next *tables) (err error) {
		for hash, used := range at {
			c, getErr := get[access.Credential](next, "credentials", hash, access.ErrNotFound)
			if getErr == nil && used.After(c.Used) {
				c.Used = used
				err = errors.Join(err, next.put("credentials", hash, c))
			}
		}
		return err
	})
}

// MarkUnnamed notes blobs that no release names.
func (m *Memory) MarkUnnamed(_ context.Context, all []registry.Unnamed) error {
	return m.change(func(next *tables) (err error) {
		for _, u := range all {
			err = errors.Join(err, next.put("unnamed", string(u.Digest), u))
		}
		return err
	})
}

// ForgetUnnamed forgets blobs whose files are gone.
func (m *Memory) ForgetUnnamed(_ context.Context, all []registry.Unnamed) error {
	return m.change(func(next *tables) error {
		for _, u := range all {
			_ = next.drop("unnamed", string(u.Digest), nil)
		}
		return nil
	})
}

// ForgetExpired forgets the credentials that have ended.
func (m *Memory) ForgetExpired(context.Context) error {
	return m.change(func(next *tables) error { return next.forgetExpired(m.now().UTC()) })
}

// Cursor returns how far a durable follower is.
func (m *Memory) Cursor(ctx context.Context, follower string) (rev abi.Rev, known bool, err error) {
	rev, err = get[abi.Rev](m.current(), "cursors", follower, errNoCursor)
	if errors.Is(err, errNoCursor) {
		return 0, false, ctx.Err()
	}
	return rev, true, errors.Join(err, ctx.Err())
}

// SetCursor moves a durable follower's cursor on.
func (m *Memory) SetCursor(ctx context.Context, follower string, rev abi.Rev) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.change(func(next *tables) error { return next.follower(follower, rev) })
}

var errNoCursor = errors.New("no cursor")
