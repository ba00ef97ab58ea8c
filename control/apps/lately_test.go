package apps

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/state"
)

// fakeState is a state with grants and events, as one transaction sees it.
type fakeState struct {
	state.Reader
	events []abi.Event
	grants map[string][]approvals.Grant
	reads  *int
}

func (s fakeState) Events(q state.EventQuery, _ func(abi.Event) (bool, error)) (part []abi.Event, next abi.Rev, err error) {
	for _, e := range s.events {
		if q.Matches(e) {
			part = append(part, e)
		}
	}
	if q.Newest {
		slices.Reverse(part)
	}
	if q.Limit >= 0 && len(part) > q.Limit {
		part = part[:q.Limit]
		next = part[q.Limit-1].Rev
	}
	return part, next, nil
}

func (s fakeState) Grants(app string) ([]approvals.Grant, error) {
	*s.reads++
	return slices.Clone(s.grants[app]), nil
}

// TestLately: whatever is remembered, each transaction is told the grants of its own state, and no more
// are remembered than may be.
func TestLately(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var m lately
		reads := 0
		states := []fakeState{{grants: map[string][]approvals.Grant{}, reads: &reads}}
		names := []string{"a", "b", "c"}
		for range rapid.IntRange(1, 60).Draw(rt, "acts") {
			last := states[len(states)-1]
			app := rapid.SampledFrom(names).Draw(rt, "app")
			if rapid.Bool().Draw(rt, "change") {
				event := abi.Event{Rev: abi.Rev(len(states)), App: app}
				if rapid.IntRange(0, 9).Draw(rt, "kind") == 0 { // all that is kept of a person has another name
					event = abi.Event{Rev: abi.Rev(len(states)), Kind: "user.renamed"}
				}
				next := fakeState{grants: map[string][]approvals.Grant{}, reads: &reads, events: append(slices.Clone(last.events), event)}
				for name, g := range last.grants {
					next.grants[name] = g
				}
				n := rapid.SampledFrom([]int{0, 1, 3, maxLately / 2, maxLately + 1}).Draw(rt, "grants")
				next.grants[app] = make([]approvals.Grant, n)
				for i := range next.grants[app] {
					next.grants[app][i] = approvals.Grant{ID: fmt.Sprint(len(states), "-", i), Reviewed: approvals.Terms{Release: 1}}
				}
				states = append(states, next)
				continue
			}
			seen := states[rapid.IntRange(max(0, len(states)-3), len(states)-1).Draw(rt, "state")]
			got, err := m.grants(seen, app)
			want := seen.grants[app]
			if err != nil || len(got) != len(want) || len(got) > 0 && got[0].ID != want[0].ID {
				rt.Fatalf("of %s: %d grants, want %d, %v", app, len(got), len(want), err)
			}
			held := 0
			for _, g := range m.byApp {
				held += len(g)
			}
			if held != m.held || held > maxLately {
				rt.Fatalf("%d are remembered, and %d counted", held, m.held)
			}
		}
		last := states[len(states)-1]
		if len(last.grants["a"]) <= maxLately {
			_, _ = m.grants(last, "a")
			before := reads
			if _, err := m.grants(last, "a"); err != nil || reads != before {
				rt.Fatalf("it was read again, %v", err)
			}
		}
	})
}
