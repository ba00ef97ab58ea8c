package abi_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
)

// TestScope: what is kept is one invocation's, also when recorders are used again.
func TestScope(t *testing.T) {
	var rec abi.Recorder
	var ended []int
	for range 2 {
		ctx := abi.WithRecorder(t.Context(), &rec)
		made := 0
		for range 3 {
			abi.ScopeOf(ctx).Keep("key", func() any { made++; return made })
		}
		if got := abi.ScopeOf(ctx).Keep("key", nil); got != 1 || made != 1 {
			t.Errorf("kept %v, made %d times", got, made)
		}
		for i := range 2 {
			if !abi.ScopeOf(ctx).OnEnd(func() {
				ended = append(ended, i)
				abi.Note(ctx, abi.Use{Capability: "llm", Meter: abi.MeterOutputTokens, N: 1})
			}) {
				t.Error("it has ended before it began")
			}
		}
		rec.End()
		if uses := rec.Uses(); len(uses) != 1 || uses[0].N != 2 {
			t.Errorf("what the end used is not noted: %v", uses)
		}
		if abi.ScopeOf(ctx).OnEnd(func() { t.Error("called") }) {
			t.Error("something was left for after the end")
		}
		rec.Reset()
	}
	if !slices.Equal(ended, []int{1, 0, 1, 0}) {
		t.Errorf("ended in the order %v", ended)
	}
	if outside := abi.ScopeOf(t.Context()); outside.OnEnd(func() {}) || outside.Keep(1, func() any { return 2 }) != 2 {
		t.Error("outside of an invocation something is kept")
	}
}

func TestLeaveTime(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Hour)
	defer cancel()
	limited, cancel := abi.LeaveTime(ctx)
	defer cancel()
	whole, _ := ctx.Deadline()
	if end, ok := limited.Deadline(); !ok || whole.Sub(end) < 9*time.Hour || whole.Sub(end) > 11*time.Hour {
		t.Errorf("of a hundred hours, %v are left", whole.Sub(end))
	}
}
