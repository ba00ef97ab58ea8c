package host

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/state"
)

// tally adds up what is noted of releases and no call is billed for, such as secrets that were taken
// out of their logs, until the store has it. What calls do is in the cells of usage, of which the store
// makes what releases did: see metering.Cell.Did.
type tally struct {
	mu  sync.Mutex // guards new
	new map[releaseID][]approvals.Used
}

type releaseID struct {
	app    string
	number int
}

// add counts what was noted.
func (t *tally) add(app string, release int, uses []abi.Use, at time.Time) {
	if len(uses) == 0 {
		return
	}
	id := releaseID{app, release}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.new == nil {
		t.new = map[releaseID][]approvals.Used{}
	}
	known := t.new[id]
	var unknown []approvals.Used
	for _, use := range uses {
		u := approvals.Used{Use: use, First: at, Last: at}
		if i := slices.IndexFunc(known, u.Same); i >= 0 {
			known[i].N += use.N
			known[i].Last = at
			continue
		}
		unknown = append(unknown, u)
	}
	if len(unknown) > 0 {
		t.new[id] = approvals.MergeUsed(known, unknown)
	}
}

// of is what a release did and the store does not have yet.
func (t *tally) of(app string, number int) []approvals.Used {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.new[releaseID{app, number}])
}

// ofApp is what the releases of an app did together and the store does not have yet.
func (t *tally) ofApp(app string) (all []approvals.Used) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, used := range t.new {
		if id.app == app {
			all = approvals.MergeUsed(all, used)
		}
	}
	return all
}

// take takes everything out.
func (t *tally) take() []approvals.ReleaseUsed {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []approvals.ReleaseUsed
	for id, used := range t.new {
		all = append(all, approvals.ReleaseUsed{App: id.app, Release: id.number, Used: used})
	}
	t.new = nil
	slices.SortFunc(all, func(a, b approvals.ReleaseUsed) int {
		return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.Release, b.Release))
	})
	return all
}

// FlushUsed brings what was noted to the store. What the store does not take is returned as an error,
// and forgotten.
func (h *Host) FlushUsed(ctx context.Context) error { return h.o.State.AddUsed(ctx, h.used.take()) }

// UsedBy returns what a release did, up to now. Within a transaction that changes the state nothing is
// missing; within another, what is stored at the same moment may be.
func (h *Host) UsedBy(tx state.Reader, app string, number int) ([]approvals.Used, error) {
	counted := h.o.Meter.Unstored(app)[number]
	stored, err := tx.Used(app, number)
	return withDone(approvals.MergeUsed(stored, h.used.of(app, number)), counted), err
}

// UsedByAny returns what the releases of an app did together.
func (h *Host) UsedByAny(tx state.Reader, app string) ([]approvals.Used, error) {
	counted := h.o.Meter.Unstored(app)
	stored, err := tx.UsedByAny(app)
	all := approvals.MergeUsed(stored, h.used.ofApp(app))
	for _, done := range counted {
		all = withDone(all, done)
	}
	return all, err
}

func withDone(all []approvals.Used, done []metering.Done) []approvals.Used {
	more := make([]approvals.Used, len(done))
	for i, d := range done {
		more[i] = approvals.Used{Use: d.Use, First: d.First, Last: d.Last}
	}
	return approvals.MergeUsed(all, more)
}
