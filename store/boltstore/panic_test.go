package boltstore_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/store/boltstore"
)

// TestWritesThatPanic: a panic within a transaction, or before it, is an error for each write
// of the batch; the store goes on, and holds what was acknowledged.
func TestWritesThatPanic(t *testing.T) {
	watch := calm.New(slog.New(slog.DiscardHandler))
	var within, before atomic.Bool
	watch.Inject(func(where string) {
		if where == "kv-commit" && before.Load() {
			panic(errors.New("before the transaction"))
		}
	})
	kv, err := boltstore.OpenKV(filepath.Join(t.TempDir(), "kv"), func() time.Time {
		if within.Load() {
			panic(errors.New("the clock is broken"))
		}
		return time.Now()
	}, watch)
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	roomy := abi.KVQuota{Bytes: 1 << 20, Keys: 1 << 10}
	put := func(key string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		return kv.Write(ctx, "app", abi.KVWrite{Key: key, Value: []byte("v")}, roomy)
	}
	for _, panics := range []*atomic.Bool{&within, &before} {
		if err := put("fine"); err != nil {
			t.Fatal(err)
		}
		panics.Store(true)
		var writing sync.WaitGroup
		for i := range 16 {
			writing.Go(func() {
				err := put(fmt.Sprint(i))
				if _, ok := errors.AsType[*calm.PanicError](err); !ok {
					t.Errorf("a write that panics: %v", err)
				}
			})
		}
		writing.Wait()
		panics.Store(false)
		if err := put("fine"); err != nil {
			t.Errorf("after a panic: %v", err)
		}
		if u, err := kv.Used(t.Context(), "app"); err != nil || u.Keys != 1 {
			t.Errorf("kept %+v, %v; want the one key that was acknowledged", u, err)
		}
	}
	if damaged := kv.Check(t.Context()); len(damaged) != 0 {
		t.Errorf("damaged: %v", damaged)
	}
}
