package boltstore_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/store/boltstore"
)

// BenchmarkFlush brings a thousand cells that have changed to the store.
func BenchmarkFlush(b *testing.B) {
	s, err := boltstore.Open(filepath.Join(b.TempDir(), "agora.db"), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	f := metering.Flush{Node: "000102030405060708090a0b0c0d0e0f", Epoch: 1}
	for i := range 1000 {
		f.Cells = append(f.Cells, metering.Cell{Key: metering.Key{Hour: time.Unix(3600, 0).UTC(), Tags: metering.Tags{
			App: fmt.Sprint("app-", i), Release: 3, Tier: "production", CostCenter: "CC-1001", Team: "sales", Owner: "ada@example.com", Environment: "production", Trigger: "http",
		}}})
	}
	for b.Loop() {
		for i := range f.Cells {
			f.Cells[i].Calls++
			f.Cells[i].Instructions += 1000
		}
		if err := s.Merge(b.Context(), f); err != nil {
			b.Fatal(err)
		}
	}
}
