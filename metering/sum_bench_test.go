package metering

import (
	"fmt"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
)

// BenchmarkDays reads a quarter of a thousand apps as a report does.
func BenchmarkDays(b *testing.B) {
	var blocks [][]byte
	for d := range 90 {
		var rows []Hour
		for a := range 1000 {
			h := Hour{Key: Key{Tags: Tags{App: fmt.Sprint("app-", a), Release: d / 30, Tier: "pilot", CostCenter: fmt.Sprint("CC-", a%12), Team: "sales", Owner: "ada@example.com", Environment: "pilot", Trigger: "http"}},
				Usage: Usage{Calls: uint64(a * d), Counts: Counts{Instructions: uint64(a * d * 200_000), GuestMicros: uint64(a * d * 60), MemoryKiBMS: uint64(a * d * 90), BytesIn: uint64(a * d * 40), BytesOut: uint64(a * d * 900)}}}
			if a%6 == 0 {
				h.Errors = map[string]uint64{"trap": uint64(d)}
			}
			if a%3 == 0 {
				h.Uses = []abi.Use{{Capability: "kv", Meter: "reads", N: uint64(a)}, {Capability: "kv", Meter: "writes", N: uint64(a)}}
			}
			rows = append(rows, h)
		}
		blocks = append(blocks, EncodeBlock(rows))
	}
	b.ResetTimer()
	for b.Loop() {
		s := newSummary(Query{By: []string{"app"}, Over: "day"})
		for d, block := range blocks {
			at := time.Date(2026, 1, 1+d, 0, 0, 0, 0, time.UTC)
			err := DecodeBlock(block, func(h *Hour) {
				h.Hour = at
				s.add(&h.Key, &h.Usage)
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		s.report()
	}
}
