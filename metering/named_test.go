package metering

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
)

// earlierUses are uses as they were stored before some meters had their names, and namedUses the
// same as they are read.
var (
	earlierUses = []abi.Use{
		{Capability: "fetch", Meter: "got", Subject: "example.com", N: 1}, {Capability: "fetch", Meter: "over", N: 2}, {Capability: "fetch", Meter: "sent", Subject: "example.com", N: 3},
		{Capability: "kv", Meter: "reads", N: 4},
		{Capability: "llm", Meter: "answer", Subject: "m", N: 5}, {Capability: "llm", Meter: "cached", Subject: "m", N: 6}, {Capability: "llm", Meter: "guessed", Subject: "m", N: 7}, {Capability: "llm", Meter: "prompt", Subject: "m", N: 8},
	}
	namedUses = []abi.Use{
		{Capability: "fetch", Meter: "bytes_received", Subject: "example.com", N: 1}, {Capability: "fetch", Meter: "bytes_sent", Subject: "example.com", N: 3}, {Capability: "fetch", Meter: "quota_exceeded", N: 2},
		{Capability: "kv", Meter: "reads", N: 4},
		{Capability: "llm", Meter: "cached_input_tokens", Subject: "m", N: 6}, {Capability: "llm", Meter: "estimated_tokens", Subject: "m", N: 7}, {Capability: "llm", Meter: "input_tokens", Subject: "m", N: 8}, {Capability: "llm", Meter: "output_tokens", Subject: "m", N: 5},
	}
)

// TestNamesOfBefore: what is stored under names of before, in a journal, a block or a document, is
// read under those of today, sorted; and summed with what is stored since.
func TestNamesOfBefore(t *testing.T) {
	check := func(from string, got []abi.Use) {
		t.Helper()
		if !slices.Equal(got, namedUses) {
			t.Errorf("%s: %+v\nwant %+v", from, got, namedUses)
		}
	}
	v := sample()
	v.Uses = slices.Clone(earlierUses)
	raw, err := appendRecord(nil, kindInvocation, time.Now(), &v)
	if err != nil {
		t.Fatal(err)
	}
	_, _, read, err := decoded(newDecoder(), raw)
	if err != nil {
		t.Fatal(err)
	}
	check("a journal", read.Uses)
	rows := 0
	err = DecodeBlock(EncodeBlock([]Hour{{Usage: Usage{Uses: earlierUses}}, {Usage: Usage{Uses: namedUses}}}), func(h *Hour) {
		rows++
		check("a block", h.Uses)
	})
	if err != nil || rows != 2 {
		t.Fatal(rows, err)
	}
	text, err := json.Marshal(Cell{Usage: Usage{Calls: 1, Uses: earlierUses}})
	if err != nil {
		t.Fatal(err)
	}
	var c Cell
	if err := json.Unmarshal(text, &c); err != nil || c.Calls != 1 {
		t.Fatal(c, err)
	}
	check("a document", c.Uses)

	sums, twice := map[string]uint64{}, c.Add(Usage{Uses: slices.Clone(namedUses)})
	for _, u := range twice.Uses {
		sums[u.Meter] += u.N
	}
	want := map[string]uint64{"bytes_received": 2, "bytes_sent": 6, "quota_exceeded": 4, "reads": 8, "cached_input_tokens": 12, "estimated_tokens": 14, "input_tokens": 16, "output_tokens": 10}
	if !maps.Equal(sums, want) || len(twice.Uses) != len(namedUses) {
		t.Errorf("the sum is %v, want %v", sums, want)
	}
}
