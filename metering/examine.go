package metering

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/metering/journal"
)

// Examination is what is to be told of the journals of a node that does not run.
type Examination struct {
	Journals int    // that were read
	Billed   uint64 // calls that the store has, of all nodes
	Waiting  uint64 // calls that are proven and not yet in the store: the next start brings them
	// Found is what is wrong, worst first. Path is a file in the journal directory.
	Found []abi.Finding
}

// Examine reads the journals of a node that does not run, compares them with the
// store, and changes nothing. Without a store (nil) it reads the journals alone;
// Node is "" if it has no id yet. It holds the directory's lock meanwhile:
// journal.ErrLocked if a process has it.
//
// What it cannot find is that a journal which was never closed has lost whole
// records at its end that the store has nothing of: the node might have been
// killed before it made them.
func Examine(ctx context.Context, o Options) (x Examination, err error) {
	o = o.withDefaults()
	lock, err := o.FS.Lock()
	if err != nil {
		return x, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	files, err := o.FS.List()
	if err != nil {
		return x, fmt.Errorf("list the journals: %w", err)
	}
	s, err := newAccounts(ctx, o, true)
	if err != nil {
		return x, err
	}
	var r Reconciliation
	waiting := map[uint64]uint64{} // calls, by epoch: there may be copies
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return x, err
		}
		if !isJournal(f.Name) {
			continue
		}
		a, err := s.of(ctx, f.Name)
		if err != nil {
			return x, err
		}
		x.Journals++
		if a.inUse() && a.asked && a.state != foreign {
			waiting[a.said.epoch] = max(waiting[a.said.epoch], a.said.cells.total().Less(a.billed()).Calls)
		}
		if n, _, kept := keptSince(f.Name); kept && has(files, journalName(n)) {
			a.asked = false // it was recalled, and will be counted once more
		}
		r.add(a)
	}
	for _, n := range waiting {
		x.Waiting += n
	}
	if o.Store != nil {
		if r.Balance, err = o.Store.Balance(ctx); err != nil {
			return x, fmt.Errorf("balance the hours: %w", err)
		}
		x.Billed = r.Balance.Cells.Calls
	}
	x.Found = r.findings()
	for _, e := range s.epochs {
		there := slices.ContainsFunc(files, func(f journal.Entry) bool { n, ok := epochOf(f.Name); return ok && n == e.Number })
		if e.Node == o.Node && !e.Ended && !e.Until.IsZero() && !there {
			x.Found = append(x.Found, o.lost(e))
		}
	}
	worstFirst(x.Found)
	return x, nil
}

func has(files []journal.Entry, name string) bool {
	return slices.ContainsFunc(files, func(f journal.Entry) bool { return f.Name == name })
}

// lost tells of an epoch whose journal is gone: for as long as it would have been
// kept, a person has to see to it.
func (o Options) lost(e Epoch) abi.Finding {
	f := abi.Finding{
		Code: FindingLost, Severity: abi.SeverityInfo, Path: journalName(e.Number),
		Message: fmt.Sprintf("%s is gone, of node %s: what was in it and not in the state by then is not billed", journalName(e.Number), e.Node),
		Remedy:  abi.Remedy{Summary: remedyLost},
	}
	if e.Until.After(o.Now().Add(-o.Keep)) {
		f.Severity = abi.SeverityReview
	}
	return f
}

func worstFirst(found []abi.Finding) {
	rank := map[abi.Severity]int{abi.SeverityDeny: 0, abi.SeverityReview: 1, abi.SeverityInfo: 2}
	slices.SortStableFunc(found, func(a, b abi.Finding) int { return cmp.Compare(rank[a.Severity], rank[b.Severity]) })
}
