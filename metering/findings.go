package metering

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
)

// The codes of what Findings may say.
const (
	FindingUnmetered  = "metering.unmetered"
	FindingDamaged    = "metering.damaged"
	FindingForeign    = "metering.foreign"
	FindingLost       = "metering.lost"
	FindingUnbalanced = "metering.unbalanced"
	FindingUnsealed   = "metering.unsealed"
	FindingSaturated  = "metering.saturated"
)

// Findings says what somebody has to know about the books, worst first. It reads
// no journal that is whole; see Reconcile.
func (m *Meter) Findings(ctx context.Context) ([]abi.Finding, error) {
	var found []abi.Finding
	add := func(severity abi.Severity, code, remedy, format string, args ...any) {
		found = append(found, abi.Finding{Code: code, Severity: severity, Message: fmt.Sprintf(format, args...), Remedy: abi.Remedy{Summary: remedy}})
	}
	if err := m.Ready(); err != nil {
		add(abi.SeverityDeny, FindingUnmetered, "Make room on the node's disk, or see to the disk. The node serves again by itself, within seconds.", "apps are not served: %v", err)
	}
	if r := m.reconciled.Load(); r != nil {
		if !r.Holds() {
			add(abi.SeverityDeny, FindingUnbalanced, "Do not settle bills of the time in question. Keep the journal directory, and report this.",
				"the books of %s do not balance: %d epochs and %d hours differ", r.At.Format(time.RFC3339), len(r.Differ), len(r.Balance.Differ))
		}
		if r.Balance.Cells.Saturated() {
			add(abi.SeverityReview, FindingSaturated, "Settle what the journals say, which have each call.", "a counter is at its largest number: more was used than it says")
		}
	}
	files, err := m.o.FS.List()
	if err != nil {
		return found, fmt.Errorf("list the journals: %w", err)
	}
	for _, f := range files {
		switch {
		case strings.HasSuffix(f.Name, damagedExt):
			add(abi.SeverityReview, FindingDamaged, "Keep the file for whoever settles the bills, then move it out of the journal directory.",
				"%s is damaged, and counted up to there; %s", f.Name, m.unproven(f.Name))
		case strings.HasSuffix(f.Name, foreignExt):
			add(abi.SeverityReview, FindingForeign, "Bring the file back to the node it belongs to, or delete it.",
				"%s was written by another node, and is not counted", f.Name)
		}
	}
	epochs, err := m.o.Store.Epochs(ctx)
	if err != nil {
		return found, fmt.Errorf("list the epochs: %w", err)
	}
	for _, e := range epochs {
		if e.Lost {
			add(abi.SeverityNote, FindingLost, "Compare with a backup of the journal directory, if there is one.",
				"the journal of epoch %d of node %s is gone: what it had not flushed is not billed", e.Number, e.Node)
		}
		if !e.Ended && e.Node != m.o.Node && e.Until.Before(m.o.Now().Add(-2*time.Hour)) {
			add(abi.SeverityReview, FindingUnsealed, "Start that node, so that it brings its usage.",
				"hours since %s are not sealed: epoch %d of node %s has not ended", e.Until.Format(time.RFC3339), e.Number, e.Node)
		}
	}
	return found, nil
}

// unproven says what of a damaged journal is legible and not billed.
//
// It reads a file once: nobody writes to it any more.
func (m *Meter) unproven(name string) string {
	if known, ok := m.damaged.Load(name); ok {
		return known.(string)
	}
	text := m.readUnproven(name)
	m.damaged.Store(name, text)
	return text
}

func (m *Meter) readUnproven(name string) string {
	f, err := m.o.FS.Open(name)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	r, err := replay(io.Reader(f), nil)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("unproven and not billed: %d calls and %d instructions in %d whole records behind the damage", r.unproven.Calls, r.unproven.Instructions, r.tail.Unproven)
}
