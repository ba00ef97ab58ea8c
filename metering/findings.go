package metering

import (
	"context"
	"fmt"
	"time"

	"github.com/agora-host/agora/abi"
)

// The codes of what Findings may say.
const (
	FindingUnmetered  = "metering.unmetered"
	FindingDamaged    = "metering.damaged" // a journal: not all of it is billed
	FindingKept       = "metering.kept"    // a journal that is kept: it proves nothing any more
	FindingTorn       = "metering.torn"    // it ends as a kill or the loss of power leaves it
	FindingForeign    = "metering.foreign"
	FindingLost       = "metering.lost"
	FindingUnbalanced = "metering.unbalanced"
	FindingUnsealed   = "metering.unsealed"
	FindingSaturated  = "metering.saturated"
)

// Findings says what a person has to know about the books, worst first; Path is a
// file in the journal directory, if it is about one. What it says of journals that
// are in use or kept, it knows from the last Reconcile.
func (m *Meter) Findings(ctx context.Context) ([]abi.Finding, error) { return m.auditor.findings(ctx) }

func (b *auditor) findings(ctx context.Context) ([]abi.Finding, error) {
	var found []abi.Finding
	add := func(severity abi.Severity, code, remedy, format string, args ...any) {
		found = append(found, abi.Finding{Code: code, Severity: severity, Message: fmt.Sprintf(format, args...), Remedy: abi.Remedy{Summary: remedy}})
	}
	if err := b.writer.ready(); err != nil {
		add(abi.SeverityDeny, FindingUnmetered, "Make room on the node's disk, or see to the disk. The node serves again by itself, within seconds.", "apps are not served: %v", err)
	}
	if r := b.last.Load(); r != nil {
		for _, f := range r.findings() {
			if plainName(f.Path) == f.Path { // else below
				found = append(found, f)
			}
		}
	}
	files, err := b.o.FS.List()
	if err != nil {
		return found, fmt.Errorf("list the journals: %w", err)
	}
	for _, f := range files {
		if !isJournal(f.Name) || plainName(f.Name) == f.Name {
			continue
		}
		of, err := b.setAside(ctx, f.Name)
		if err != nil {
			return found, err
		}
		found = append(found, of...)
	}
	epochs, err := b.o.Store.Epochs(ctx)
	if err != nil {
		return found, fmt.Errorf("list the epochs: %w", err)
	}
	for _, e := range epochs {
		if e.Lost {
			found = append(found, b.o.lost(e))
		}
		if !e.Ended && e.Node != b.o.Node && e.Until.Before(b.o.Now().Add(-2*time.Hour)) {
			add(abi.SeverityReview, FindingUnsealed, "Start that node, so that it brings its usage.",
				"hours since %s are not sealed: epoch %d of node %s has not ended", e.Until.Format(time.RFC3339), e.Number, e.Node)
		}
	}
	worstFirst(found)
	return found, nil
}

// setAside says what is wrong with a file that is damaged, or another node's.
//
// It reads a file once, as a rule: no one writes to it any more.
func (b *auditor) setAside(ctx context.Context, name string) ([]abi.Finding, error) {
	if known, ok := b.aside.Load(name); ok {
		return known.([]abi.Finding), nil
	}
	s, err := newAccounts(ctx, b.o, false)
	if err != nil {
		return nil, err
	}
	a, err := s.of(ctx, name)
	if err != nil {
		return nil, err
	}
	found := a.damage()
	if a.epoch.Ended || a.epoch.Number == 0 { // else there may be more to be billed
		b.aside.Store(name, found)
	}
	return found, nil
}

// findings says what is wrong with the books, and with the journals that prove
// them.
func (r Reconciliation) findings() (found []abi.Finding) {
	const look = "Do not settle bills of the time in question. Keep the journal directory, and report this."
	differs := func(file, format string, args ...any) {
		found = append(found, abi.Finding{Code: FindingUnbalanced, Severity: abi.SeverityDeny, Path: file, Message: fmt.Sprintf(format, args...), Remedy: abi.Remedy{Summary: look}})
	}
	for _, d := range r.Differ {
		differs(d.File, "%s says %s, and billed are %s: either it has lost some, or too much is billed", d.File, d.Journal.words(), d.Cells.words())
	}
	for _, d := range r.Balance.Differ {
		differs("", "the hour %s does not balance: its cells have %s, and its bills %s", d.Hour.Format(time.RFC3339), d.Cells.words(), d.Owed.words())
	}
	if r.Balance.Cells.Saturated() {
		found = append(found, abi.Finding{Code: FindingSaturated, Severity: abi.SeverityReview, Message: "a counter is at its largest number: more was used than it says",
			Remedy: abi.Remedy{Summary: "Settle what the journals say, which have each call."}})
	}
	return append(found, r.Damage...)
}

func (u Usage) words() string {
	return plural(u.Calls, "call") + " and " + plural(u.Instructions, "instruction")
}

func plural(n uint64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
