package boltstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/store/boltstore"
	"github.com/agora-host/agora/triggers"
	"github.com/agora-host/agora/triggers/triggerstest"
)

func TestQueueConforms(t *testing.T) {
	dir, n := t.TempDir(), 0
	triggerstest.TestStore(t, func() (triggers.Store, func() triggers.Store) {
		n++
		path := filepath.Join(dir, fmt.Sprint(n))
		open := func() *boltstore.Queue {
			q, err := boltstore.OpenQueue(path, nil)
			if err != nil {
				t.Fatal(err)
			}
			return q
		}
		q := open()
		t.Cleanup(func() { _ = q.Close() })
		return q, func() triggers.Store {
			if problems := q.Check(t.Context()); len(problems) > 0 {
				t.Fatal(problems)
			}
			if err := q.Close(); err != nil {
				t.Fatal(err)
			}
			q = open()
			return q
		}
	})
}

// TestDamagedDelivery: a record whose bytes were changed is named, and not used.
func TestDamagedDelivery(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	q, err := boltstore.OpenQueue(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	ref := triggers.Ref{App: "a", Kind: abi.TriggerEvent, Name: "a/b"}
	if err := q.Commit(t.Context(), triggers.Changes{Put: []triggers.Delivery{{Seq: 1, ID: "an id that stands out", Ref: ref}, {Seq: 2, ID: "whole", Ref: ref}}}); err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(raw), "stands out", "stood out!")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := boltstore.OpenQueue(path, nil); !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("a damaged queue is used: %v", err)
	}
	if problems := boltstore.VerifyQueue(path, nil); len(problems) == 0 || !strings.Contains(problems[0].Error(), "delivery 1") {
		t.Errorf("the check says %v", problems)
	}
}
