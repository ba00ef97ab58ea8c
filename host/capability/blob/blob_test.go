package blob_test

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/abitest"
	"github.com/agora-host/agora/host/capability/blob"
	"github.com/agora-host/agora/store/boltstore"
	"github.com/agora-host/agora/store/filestore"
)

func TestConforms(t *testing.T) {
	abitest.Blob(t, func(t *testing.T, quota abi.KVQuota) (abi.Link, time.Time) {
		now := time.UnixMilli(1_800_000_000_123).UTC()
		clock := func() time.Time { return now }
		index, err := boltstore.OpenKV(filepath.Join(t.TempDir(), "kv"), clock, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = index.Close() })
		files, err := filestore.Open(filepath.Join(t.TempDir(), "files"), index, clock)
		if err != nil {
			t.Fatal(err)
		}
		return blob.New(files, slog.New(slog.DiscardHandler)).Bind("a", quota, func(error) {}), now
	})
}
