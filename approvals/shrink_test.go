package approvals_test

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
)

// TestShrinkOnly: a live grant is made to allow less, and never anything else.
func TestShrinkOnly(t *testing.T) {
	now := time.Unix(1_800_000_000, 0).UTC()
	live := approvals.Grant{ID: "grant-1", Params: abi.Params{"names": "a b c", "quota": "100"}}
	revoked, ended := live, live
	revoked.ID, revoked.Revoked = "grant-2", now
	ended.ID, ended.Expires = "grant-3", now
	for _, c := range []struct {
		name string
		id   string
		to   abi.Params
		want error
	}{
		{"fewer words", "grant-1", abi.Params{"names": "a c", "quota": "100"}, nil},
		{"a smaller number", "grant-1", abi.Params{"names": "a b c", "quota": "99"}, nil},
		{"no word at all", "grant-1", abi.Params{"names": "", "quota": "100"}, nil},
		{"the same", "grant-1", abi.Params{"names": "a b c", "quota": "100"}, approvals.ErrNothingToShrink},
		{"another word", "grant-1", abi.Params{"names": "a d", "quota": "100"}, approvals.ErrBadRequest},
		{"more words", "grant-1", abi.Params{"names": "a b c d", "quota": "100"}, approvals.ErrBadRequest},
		{"a larger number", "grant-1", abi.Params{"names": "a", "quota": "101"}, approvals.ErrBadRequest},
		{"a parameter less, which might mean no bound", "grant-1", abi.Params{"names": "a"}, approvals.ErrBadRequest},
		{"a parameter more", "grant-1", abi.Params{"names": "a", "quota": "100", "keys": "1"}, approvals.ErrBadRequest},
		{"one that was revoked", "grant-2", abi.Params{"names": "a", "quota": "1"}, approvals.ErrNothingToShrink},
		{"one that has ended", "grant-3", abi.Params{"names": "a", "quota": "1"}, approvals.ErrNothingToShrink},
		{"one that is not there", "grant-4", nil, approvals.ErrNotFound},
	} {
		m := &memory{grants: []approvals.Grant{live, revoked, ended}}
		g, err := approvals.Shrink(m, c.id, "ada", c.to, now)
		if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if stored, _ := m.Grant("grant-1"); c.want != nil && !maps.Equal(stored.Params, live.Params) {
			t.Errorf("%s: refused, and the grant has %v", c.name, stored.Params)
		} else if c.want == nil && (!maps.Equal(stored.Params, c.to) || stored.ShrunkBy != "ada" || !g.Shrunk.Equal(now)) {
			t.Errorf("%s: the grant is %+v", c.name, stored)
		}
	}
}
