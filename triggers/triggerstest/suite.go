package triggerstest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/triggers"
)

// TestStore compares a store with the model, through random commits. open makes
// an empty store; reopen closes and opens it again.
func TestStore(t *testing.T, open func() (s triggers.Store, reopen func() triggers.Store)) {
	rapid.Check(t, func(rt *rapid.T) {
		store, reopen := open()
		model := NewMemory()
		ctx := context.Background()
		rt.Repeat(map[string]func(*rapid.T){
			"commit": func(rt *rapid.T) {
				c := changes(rt)
				if err := errors.Join(store.Commit(ctx, c), model.Commit(ctx, c)); err != nil {
					rt.Fatal(err)
				}
			},
			"open again": func(*rapid.T) { store = reopen() },
			"": func(rt *rapid.T) {
				got, want := stored(rt, store), stored(rt, model)
				if !reflect.DeepEqual(got, want) {
					rt.Fatalf("stored\n%+v\nwant\n%+v", got, want)
				}
				seq := rapid.Uint64Range(1, 9).Draw(rt, "read")
				a, errA := store.Delivery(ctx, seq)
				b, errB := model.Delivery(ctx, seq)
				if errors.Is(errA, triggers.ErrNotFound) != errors.Is(errB, triggers.ErrNotFound) || !bytes.Equal(a.Body, b.Body) || !slices.Equal(a.Header, b.Header) || a.ID != b.ID {
					rt.Fatalf("delivery %d: %+v, %v; want %+v, %v", seq, a, errA, b, errB)
				}
			},
		})
		reopen()
	})
}

func stored(rt *rapid.T, store triggers.Store) triggers.Stored {
	s, err := store.Load(context.Background())
	if err != nil {
		rt.Fatal(err)
	}
	slices.SortFunc(s.Statuses, func(a, b triggers.Status) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Seen, func(a, b triggers.Seen) int { return cmp.Compare(a.Key, b.Key) })
	return s
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

func changes(rt *rapid.T) (c triggers.Changes) {
	name := rapid.SampledFrom([]string{"a", "b", "shop/orders.created"})
	ref := func() triggers.Ref {
		return triggers.Ref{App: "app", Kind: abi.TriggerEvent, Name: name.Draw(rt, "name")}
	}
	for range rapid.IntRange(0, 3).Draw(rt, "puts") {
		v := triggers.Delivery{
			Seq: rapid.Uint64Range(1, 9).Draw(rt, "seq"), ID: rapid.StringN(1, 5, 9).Draw(rt, "id"), Ref: ref(), From: "shop", At: start,
			Body: rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(rt, "body"), Attempts: rapid.IntRange(0, 9).Draw(rt, "attempts"),
		}
		if rapid.Bool().Draw(rt, "header") {
			v.Header = []abi.Field{{Name: "A", Value: "b"}}
		}
		if rapid.Bool().Draw(rt, "dead") {
			v.Dead = start
		}
		if !slices.ContainsFunc(c.Put, func(o triggers.Delivery) bool { return o.Seq == v.Seq }) {
			c.Put = append(c.Put, v)
		}
	}
	if rapid.Bool().Draw(rt, "delete") {
		seq := rapid.Uint64Range(1, 9).Draw(rt, "gone")
		c.Put = slices.DeleteFunc(c.Put, func(o triggers.Delivery) bool { return o.Seq == seq })
		c.Delete = []uint64{seq}
	}
	if rapid.Bool().Draw(rt, "status") {
		c.Status = []triggers.Status{{Ref: ref(), Version: rapid.Uint64Range(1, 9).Draw(rt, "version"), Done: rapid.Uint64().Draw(rt, "done"), LastDue: start}}
	}
	seen := triggers.Seen{App: "app", Key: name.Draw(rt, "key"), ID: "x", At: start}
	switch rapid.IntRange(0, 2).Draw(rt, "key") {
	case 1:
		c.See = []triggers.Seen{seen}
	case 2:
		c.Forget = []triggers.Seen{seen}
	}
	if len(c.Status) == 0 && rapid.Bool().Draw(rt, "drop") {
		c.Drop = []triggers.Ref{ref()}
	}
	return c
}
