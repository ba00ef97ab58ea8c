package approvals_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
)

func used(capability, meter, subject string, n uint64, first, last int) approvals.Used {
	at := func(s int) time.Time { return time.Unix(int64(s), 0).UTC() }
	return approvals.Used{Use: abi.Use{Capability: capability, Meter: meter, Subject: subject, N: n}, First: at(first), Last: at(last)}
}

func TestMergeUsed(t *testing.T) {
	known := []approvals.Used{used("kv", "reads", "note/", 3, 10, 20)}
	got := approvals.MergeUsed(known, []approvals.Used{used("kv", "writes", "", 1, 30, 30), used("kv", "reads", "note/", 2, 5, 15), used("fetch", "calls", "x", 1, 1, 1)})
	want := []approvals.Used{used("fetch", "calls", "x", 1, 1, 1), used("kv", "reads", "note/", 5, 5, 20), used("kv", "writes", "", 1, 30, 30)}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if known[0].N != 3 {
		t.Error("what was known has changed")
	}
}

// TestMergeUsedIsBounded: in whatever portions it comes, nothing is lost and the
// room is bounded.
func TestMergeUsedIsBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var known []approvals.Used
	var total uint64
	for range 50 {
		var more []approvals.Used
		for range 50 {
			n := r.Uint64N(5)
			total += n
			more = append(more, used("kv", []string{"reads", "writes"}[r.IntN(2)], fmt.Sprint(r.IntN(1000)), n, 1, 1))
		}
		known = approvals.MergeUsed(known, more)
	}
	var sum uint64
	for _, u := range known {
		sum += u.N
	}
	if len(known) > 256+2 || sum != total {
		t.Errorf("%d of %d are kept in %d rows", sum, total, len(known))
	}
}

func TestUsedParams(t *testing.T) {
	all := []approvals.Used{used("secret", "reads", "one", 1, 1, 1), used("secret", "denied", "two", 9, 1, 1), used("fetch", "calls", "three", 1, 1, 1)}
	got := approvals.UsedParams(abi.Params{"names": "one three two", "max": "5"}, "secret", all, nil)
	if want := (abi.Params{"names": "one", "max": "5"}); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	got = approvals.UsedParams(abi.Params{"allow": "https://*.a https://b"}, "fetch", []approvals.Used{used("fetch", "calls", "https://x.a", 1, 1, 1)},
		func(_, element, subject string) bool { return element == "https://*.a" && subject == "https://x.a" })
	if want := (abi.Params{"allow": "https://*.a"}); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
