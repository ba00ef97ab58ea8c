package approvals_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
)

// memory is a Tx in maps.
type memory struct {
	requests []approvals.Request // oldest first
	grants   []approvals.Grant
}

func (m *memory) Request(id string) (approvals.Request, error) {
	for _, q := range m.requests {
		if q.ID == id {
			return q, nil
		}
	}
	return approvals.Request{}, approvals.ErrNotFound
}

func (m *memory) OpenRequests(app string, kind approvals.Kind) ([]approvals.Request, error) {
	all := slices.DeleteFunc(slices.Clone(m.requests), func(q approvals.Request) bool {
		return q.App != app || q.Kind != kind || q.Status != approvals.StatusOpen
	})
	slices.Reverse(all)
	return all, nil
}

func (m *memory) AskedFor(app, capability string) ([]approvals.Request, error) {
	all := slices.DeleteFunc(slices.Clone(m.requests), func(q approvals.Request) bool {
		return q.App != app || q.Kind != approvals.KindGrant || q.Capability != capability
	})
	slices.Reverse(all)
	return all, nil
}

func (m *memory) NextRequest() (string, error) { return fmt.Sprintf("req-%d", len(m.requests)+1), nil }

func (m *memory) PutRequest(q approvals.Request) error {
	for i := range m.requests {
		if m.requests[i].ID == q.ID {
			m.requests[i] = q
			return nil
		}
	}
	m.requests = append(m.requests, q)
	return nil
}

func (m *memory) Grant(id string) (approvals.Grant, error) {
	for _, g := range m.grants {
		if g.ID == id {
			return g, nil
		}
	}
	return approvals.Grant{}, approvals.ErrNotFound
}

func (m *memory) Grants(app string) ([]approvals.Grant, error) {
	all := slices.DeleteFunc(slices.Clone(m.grants), func(g approvals.Grant) bool { return app != "" && g.App != app })
	slices.Reverse(all)
	return all, nil
}

func (m *memory) PutGrant(g approvals.Grant) error {
	for i := range m.grants {
		if m.grants[i].ID == g.ID {
			m.grants[i] = g
			return nil
		}
	}
	m.grants = append(m.grants, g)
	return nil
}

// voters are people in groups who are reviewers of everything.
func voters(groups map[string][]string) approvals.Voters {
	return func(name string) (approvals.Voter, error) {
		return approvals.Voter{Person: approvals.Person{Name: name, Groups: groups[name]}, Reviews: func(string) bool { return true }}, nil
	}
}

var at = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// TestStateMachine walks requests and grants at random against a model that
// knows only this: what may be used is what another person approved and no one
// has revoked since; what is decided stays as it was decided.
func TestStateMachine(t *testing.T) {
	people := []string{"owner", "asker", "co-owner", "in the group", "rex", "eve"}
	concerned := func(name string) bool { return !slices.Contains([]string{"rex", "eve"}, name) }
	groups := map[string][]string{"in the group": {"g_other", "g_team"}, "rex": {"g_other"}}
	rapid.Check(t, func(rt *rapid.T) {
		tx, now := &memory{}, at
		status := map[string]approvals.Status{}
		allowed := map[string]string{} // capability to the grant that allows it
		pick := func(rt *rapid.T, ids []string) string {
			return rapid.SampledFrom(append(ids, "none")).Draw(rt, "id")
		}
		requests := func() (ids []string) {
			for _, q := range tx.requests {
				ids = append(ids, q.ID)
			}
			return ids
		}
		rt.Repeat(map[string]func(*rapid.T){
			"open": func(rt *rapid.T) {
				now = now.Add(time.Second)
				word := rapid.SampledFrom([]string{"kv", "log"}).Draw(rt, "capability")
				waits := slices.ContainsFunc(tx.requests, func(q approvals.Request) bool { return q.Capability == word && q.Status == approvals.StatusOpen })
				q, err := approvals.Open(tx, approvals.Request{Kind: approvals.KindGrant, App: "a", Owner: "owner", CoOwner: "co-owner", Group: "g_team", By: "asker", Tier: abi.TierPilot, Capability: word, Created: now, Status: approvals.StatusApproved})
				if waits != errors.Is(err, approvals.ErrAlreadyRequested) || (!waits && err != nil) {
					rt.Fatalf("open: %v, and one waits: %v", err, waits)
				}
				if err == nil {
					status[q.ID] = approvals.StatusOpen
				}
			},
			"decide": func(rt *rapid.T) {
				now = now.Add(time.Second)
				id, by, approve := pick(rt, requests()), rapid.SampledFrom(people).Draw(rt, "by"), rapid.Bool().Draw(rt, "approve")
				reason := rapid.SampledFrom([]string{"", "  ", "because"}).Draw(rt, "reason")
				want := error(nil)
				switch {
				case status[id] == "":
					want = approvals.ErrNotFound
				case status[id] != approvals.StatusOpen:
					want = approvals.ErrAlreadyDecided
				case concerned(by):
					want = approvals.ErrSelfReview
				case !approve && strings.TrimSpace(reason) == "":
					want = approvals.ErrReasonMissing
				}
				q, g, err := approvals.Decide(tx, id, approvals.Ballot{Approve: approve, Reason: reason, By: by, At: now}, voters(groups))
				if !errors.Is(err, want) || (want == nil && err != nil) {
					rt.Fatalf("decide: %v, want %v", err, want)
				}
				if err != nil {
					return
				}
				status[id] = q.Status
				if (g != nil) != approve {
					rt.Fatalf("approved %v, and granted %+v", approve, g)
				}
				if g != nil {
					allowed[g.Capability] = g.ID
				}
			},
			"withdraw": func(rt *rapid.T) {
				id, by := pick(rt, requests()), rapid.SampledFrom(people).Draw(rt, "by")
				_, err := approvals.Withdraw(tx, id, approvals.Person{Name: by, Groups: groups[by]}, "", now)
				may := status[id] == approvals.StatusOpen && concerned(by)
				if may != (err == nil) {
					rt.Fatalf("withdraw by %s: %v", by, err)
				}
				if err == nil {
					status[id] = approvals.StatusWithdrawn
				}
			},
			"revoke": func(rt *rapid.T) {
				var ids []string
				for _, g := range tx.grants {
					ids = append(ids, g.ID)
				}
				id := pick(rt, ids)
				if _, err := approvals.Revoke(tx, id, "rex", "", now); err == nil {
					rt.Fatal("revoked without a reason")
				}
				if _, err := approvals.Revoke(tx, id, "rex", "because", now); (err == nil) != (id != "none") {
					rt.Fatalf("revoke %s: %v", id, err)
				}
				for word, by := range allowed {
					if by == id {
						delete(allowed, word)
						// An older grant of the same may still hold.
						for _, g := range tx.grants {
							if g.Capability == word && g.Revoked.IsZero() {
								allowed[word] = g.ID
							}
						}
					}
				}
			},
			"": func(rt *rapid.T) {
				for _, q := range tx.requests {
					if q.Status != status[q.ID] {
						rt.Fatalf("%s is %s, and was %s", q.ID, q.Status, status[q.ID])
					}
				}
				for _, word := range []string{"kv", "log"} {
					g, ok := approvals.Effective(tx.grants, abi.TierSandbox, word, now)
					if want := allowed[word]; ok != (want != "") || g.ID != want {
						rt.Fatalf("%s is allowed by %q, want %q", word, g.ID, want)
					}
				}
			},
		})
	})
}

func TestEffective(t *testing.T) {
	grants := []approvals.Grant{
		{ID: "pilot", Capability: "kv", Tier: abi.TierPilot, Created: at},
		{ID: "short", Capability: "kv", Tier: abi.TierProduction, Created: at.Add(time.Minute), Expires: at.Add(time.Hour)},
		{ID: "gone", Capability: "log", Tier: abi.TierProduction, Created: at, Revoked: at},
	}
	for _, c := range []struct {
		tier  abi.Tier
		word  string
		after time.Duration
		want  string
	}{
		{abi.TierSandbox, "kv", 2 * time.Minute, "short"}, // the newest
		{abi.TierSandbox, "kv", 2 * time.Hour, "pilot"},   // the newest has ended
		{abi.TierPilot, "kv", 2 * time.Hour, "pilot"},
		{abi.TierProduction, "kv", 2 * time.Hour, ""}, // a grant holds in its tier and below
		{abi.TierSandbox, "log", time.Minute, ""},     // revoked
		{abi.TierSandbox, "k", time.Minute, ""},
	} {
		g, ok := approvals.Effective(grants, c.tier, c.word, at.Add(c.after))
		if g.ID != c.want || ok != (c.want != "") {
			t.Errorf("%+v: %q, %v", c, g.ID, ok)
		}
	}
}

// TestStoredRequests: a request that was stored when requirements were names is decided like any
// other, and says nothing of a policy.
func TestStoredRequests(t *testing.T) {
	const stored = `{"id":"req-1","kind":"promotion","app":"shop","owner":"ada@example.com","release":1,"digest":"sha256:aa","tier":"pilot","by":"ada@example.com","created":"2026-11-01T00:00:00Z","status":"open",
"reviewed":{"release":1,"digest":"sha256:aa","signer":"ada@example.com","data_classification":"internal","limits":{},"triggers":{},"asks":{"kv":{"quota":"100"},"fetch":{"allow":"https://a.example"}}},"requires":["fetch","kv"]}`
	var q approvals.Request
	if err := json.Unmarshal([]byte(stored), &q); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(q.Grants(), []string{"fetch", "kv"}) || q.Requires[0].Kind != approvals.KindGrant || q.Policy != "" {
		t.Errorf("%+v", q)
	}
	tx := &memory{requests: []approvals.Request{q}}
	done, _, err := approvals.Decide(tx, q.ID, approvals.Ballot{Approve: true, By: "rex@example.com", At: at}, voters(nil))
	if err != nil || done.Decision.Policy != "" || done.Status != approvals.StatusApproved {
		t.Fatalf("%+v, %v", done, err)
	}
	made, err := approvals.Granted(tx, done, approvals.Life{})
	if err != nil || len(made) != 2 || made[1].Capability != "kv" || made[1].Params["quota"] != "100" {
		t.Errorf("%+v, %v", made, err)
	}
	// What is stored from now on is read back whole, and several reasons for one capability are one grant.
	q.Policy, q.Requires = "sha256:cc", []approvals.Requirement{{Kind: approvals.KindGrant, Capability: "kv", Code: "a", Reason: "b"}, {Kind: approvals.KindGrant, Capability: "kv", Code: "c", Reason: "d"}}
	raw, err := json.Marshal(q)
	var back approvals.Request
	if err = errors.Join(err, json.Unmarshal(raw, &back)); err != nil || !slices.Equal(back.Requires, q.Requires) || back.Policy != q.Policy || !slices.Equal(back.Grants(), []string{"kv"}) {
		t.Errorf("%+v, %v", back, err)
	}
}
