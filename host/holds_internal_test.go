package host

import (
	"context"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
)

// TestHolds: what a call was linked to when it began allows nothing from the second on in which its grant ends, by
// the clock or by a decision, and what it is refused is noted. Other grants go on.
func TestHolds(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var h holds
	link := func(id string, expires time.Time) abi.HostFunc {
		real := abi.Link{"get": func(context.Context, []byte) ([]byte, abi.Errno) { return []byte("v"), abi.ErrnoOK }}
		return h.guard("kv", &approvals.Grant{ID: id, Expires: expires}, real, func() time.Time { return now })["get"]
	}
	short, revoked, other := link("g1", now.Add(time.Minute)), link("g2", time.Time{}), link("g3", time.Time{})
	var r abi.Recorder
	ctx := abi.WithRecorder(t.Context(), &r)
	want := func(when string, all map[string]abi.Errno) {
		t.Helper()
		for name, call := range map[string]abi.HostFunc{"short": short, "revoked": revoked, "other": other} {
			if _, errno := call(ctx, nil); errno != all[name] {
				t.Errorf("%s: %s has %v, want %v", when, name, errno, all[name])
			}
		}
	}
	want("at first", nil)
	now = now.Add(time.Minute - 1)
	want("a nanosecond before the end", nil)
	now = now.Add(1)
	want("at its end", map[string]abi.Errno{"short": abi.ErrnoDenied})
	if err := h.follow(ctx, []abi.Event{{Kind: "grant.shrunk", Subject: "g3"}, {Kind: "grant.revoked", Subject: "g2"}}); err != nil {
		t.Fatal(err)
	}
	want("after the decision", map[string]abi.Errno{"short": abi.ErrnoDenied, "revoked": abi.ErrnoDenied})
	revoked = link("g2", time.Time{}) // by a call that had read the state before
	want("linked once more", map[string]abi.Errno{"short": abi.ErrnoDenied, "revoked": abi.ErrnoDenied})
	if uses := r.Uses(); len(uses) != 1 || uses[0].Meter != abi.MeterDenied || uses[0].N != 5 {
		t.Errorf("%+v", uses)
	}
}
