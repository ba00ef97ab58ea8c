package metering_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/metering"
)

var blockRows = []metering.Hour{
	{Key: metering.Key{Tags: metering.Tags{App: "a", Release: 3, Tier: "pilot", CostCenter: "CC-1", Team: "t", Owner: "o", Environment: "e", Trigger: "cron"}},
		Usage: metering.Usage{Calls: 5, Counts: metering.Counts{Instructions: 1 << 60, GuestMicros: 200, BytesOut: 1}, Errors: map[string]uint64{"trap": 1, "fuel": 300},
			Uses: []abi.Use{{Capability: "fetch", Meter: "calls", Subject: "example.com", N: 7}, {Capability: "kv", Meter: "reads", N: 1 << 40}}}},
	{Key: metering.Key{Tags: metering.Tags{App: "a", Release: 3}}},
}

// decoded keeps the rows of a block.
func decoded(b []byte) (rows []metering.Hour, err error) {
	err = metering.DecodeBlock(b, func(h *metering.Hour) {
		kept := *h
		kept.Errors, kept.Uses = maps.Clone(h.Errors), slices.Clone(h.Uses)
		rows = append(rows, kept)
	})
	return rows, err
}

func TestBlock(t *testing.T) {
	for _, rows := range [][]metering.Hour{nil, blockRows[1:], blockRows} {
		b := metering.EncodeBlock(rows)
		got, err := decoded(b)
		if err != nil || !reflect.DeepEqual(got, rows) {
			t.Errorf("%v\ngot  %+v\nwant %+v", err, got, rows)
		}
		for i := range b {
			if got, err := decoded(b[:i]); err == nil {
				t.Errorf("cut to %d bytes: %+v", i, got)
			}
		}
	}
}

// FuzzBlock: whatever the bytes are, reading them neither fails nor takes more
// memory than they could hold; and what is read is written as it was.
func FuzzBlock(f *testing.F) {
	f.Add(metering.EncodeBlock(blockRows))
	f.Add([]byte{1, 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, err := decoded(b)
		if len(rows) > len(b) {
			t.Fatalf("%d rows of %d bytes", len(rows), len(b))
		}
		if err != nil {
			return
		}
		again, err := decoded(metering.EncodeBlock(rows))
		if err != nil || !reflect.DeepEqual(again, rows) {
			t.Fatalf("%v\ngot  %+v\nwant %+v", err, again, rows)
		}
	})
}
