package abi_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
)

func TestRecorder(t *testing.T) {
	abi.Note(context.Background(), abi.Use{Capability: "kv", Meter: abi.MeterReads, N: 1}) // nobody listens: nothing happens
	var r abi.Recorder
	ctx := abi.WithRecorder(t.Context(), &r)
	for i := range 1000 {
		abi.Note(ctx, abi.Use{Capability: "fetch", Meter: abi.MeterCalls, Subject: fmt.Sprintf("%04d.example", i), N: 2})
	}
	abi.Note(ctx, abi.Use{Capability: "fetch", Meter: abi.MeterCalls, Subject: "0000.example", N: 1})
	abi.Note(ctx, abi.Use{Capability: "kv", Meter: abi.MeterReads, Subject: strings.Repeat("x", 10_000), N: 1})
	abi.Note(ctx, abi.Use{Capability: "kv", Meter: abi.MeterReads, N: 0})
	uses := r.Uses()
	var total uint64
	for _, u := range uses {
		total += u.N
	}
	if len(uses) > 70 || total != 2002 {
		t.Errorf("%d uses of %d units: everything has to be counted, in bounded room", len(uses), total)
	}
	if uses[0] != (abi.Use{Capability: "fetch", Meter: abi.MeterCalls, Subject: "0000.example", N: 3}) {
		t.Errorf("the first is %+v", uses[0])
	}
}
