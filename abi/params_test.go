package abi_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/agora-host/agora/abi"
)

func TestNarrowParams(t *testing.T) {
	a := abi.Params{"quota": "1000", "keys": "9", "hosts": "a.example b.example", "only": "1", "mixed": "5"}
	b := abi.Params{"quota": "200", "keys": "10", "hosts": "b.example c.example", "other": "1", "mixed": "x 5"}
	want := abi.Params{"quota": "200", "keys": "9", "hosts": "b.example", "mixed": "5"}
	if got := abi.NarrowParams(a, b); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := abi.NarrowParams(b, a); !maps.Equal(got, want) {
		t.Errorf("the other way around: got %v, want %v", got, want)
	}
	if got := abi.NarrowParams(a, nil); len(got) != 0 {
		t.Errorf("with nothing: %v", got)
	}
}

func TestParams(t *testing.T) {
	p := abi.Params{"n": "12", "bad": "1x", "hosts": "a b"}
	if p.Number("n", 1) != 12 || p.Number("bad", 1) != 1 || p.Number("none", 1) != 1 {
		t.Error("numbers are read wrongly")
	}
	if !slices.Equal(p.List("hosts"), []string{"a", "b"}) || len(p.List("none")) != 0 {
		t.Error("lists are read wrongly")
	}
}
