package access_test

import (
	"errors"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
)

// TestRecent: what asks for a fresh sign-in asks a session for it, and for nothing else; a proof that is not known is
// not recent.
func TestRecent(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	const within = 15 * time.Minute
	session := func(ago time.Duration) access.Actor {
		return access.Actor{User: "ada@example.com", Via: access.KindSession, Proven: now.Add(-ago)}
	}
	for name, k := range map[string]struct {
		actor  access.Actor
		act    access.Act
		within time.Duration
		want   bool
	}{
		"at once":                {session(0), access.DecideRequest, within, true},
		"soon":                   {session(within - 1), access.ManagePerson, within, true},
		"late":                   {session(within), access.ManagePerson, within, false},
		"never":                  {access.Actor{User: "ada@example.com", Via: access.KindSession}, access.ManageGroup, within, false},
		"late, and switched off": {session(24 * time.Hour), access.DecideRequest, 0, true},
		"late, for another act":  {session(24 * time.Hour), access.Publish, within, true},
		"a token":                {access.Actor{User: "ada@example.com", Via: access.KindToken}, access.DecideRequest, within, true},
		"the node":               {access.Actor{}, access.DecideRequest, within, true},
	} {
		if err := access.Recent(k.actor, k.act, k.within, now); (err == nil) != k.want || err != nil && !errors.Is(err, access.ErrStepUp) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, r := range access.Rules() {
		if r.Afresh && !r.InPerson {
			t.Errorf("%s asks for a fresh sign-in of what cannot sign in", r.Act)
		}
	}
	ahead := access.Assertion{AuthTime: now.Add(time.Minute)}
	if got := ahead.ProvenAt(now); !got.Equal(now) {
		t.Errorf("a clock that is ahead proves until %s", got)
	}
	if got := (access.Assertion{}).ProvenAt(now); !got.IsZero() {
		t.Errorf("a provider that says nothing proves %s", got)
	}
	for within, good := range map[time.Duration]bool{0: true, time.Minute: true, 24 * time.Hour: true, time.Second: false, -1: false, 25 * time.Hour: false} {
		if err := access.CheckFresh(within); (err == nil) != good {
			t.Errorf("%s: %v", within, err)
		}
	}
}
