package boltstore_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/store/boltstore"
)

// TestScrub: what was deleted is in no page of the file afterwards, also where values had pages of
// their own; what others keep is there, and the file is as it should be.
func TestScrub(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv.db")
	kv, err := boltstore.OpenKV(path, time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	ctx, quota := t.Context(), abi.KVQuota{Bytes: 1 << 30, Keys: 1 << 20}
	write := func(app, key, value string, ttl time.Duration) {
		t.Helper()
		if err := kv.Write(ctx, app, abi.KVWrite{Key: key, Value: []byte(value), TTL: ttl}, quota); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 60 {
		write("shop", "gone-"+strings.Repeat("k", i), strings.Repeat("secret ", 1+i*i*2), time.Duration(i%2)*time.Hour)
		write("shop2", "kept-"+strings.Repeat("k", i), strings.Repeat("public ", i), 0)
	}
	if err := kv.Erase(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	has := func(text string) bool {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(raw, []byte(text))
	}
	if !has("secret") {
		t.Error("there is nothing to scrub: the test tests nothing")
	}
	for range 2 { // the second time finds nothing, and does no harm
		if err := kv.Erase(ctx, "shop"); err != nil {
			t.Fatal(err)
		}
		if err := kv.Scrub(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if has("secret") || has("gone-") || !has("public") {
		t.Errorf("secret: %v, gone: %v, public: %v", has("secret"), has("gone-"), has("public"))
	}
	if problems := kv.Check(ctx); len(problems) > 0 {
		t.Error(problems)
	}
	keys, err := kv.List(ctx, "shop2", "", "", 100)
	if used, _ := kv.Used(ctx, "shop"); err != nil || len(keys) != 60 || used.Keys != 0 || used.Bytes != 0 {
		t.Errorf("the neighbour has %d keys, the app uses %+v, %v", len(keys), used, err)
	}
}
