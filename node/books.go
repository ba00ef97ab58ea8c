package node

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/metering"
)

// troubles says what the things have in common that one line of the report is
// about.
var troubles = map[string]string{
	metering.FindingUnmetered:  "calls cannot be recorded",
	metering.FindingUnbalanced: "journals and bills do not agree",
	metering.FindingDamaged:    "damaged journals: what is not proven is not billed",
	metering.FindingKept:       "damaged journals of what is billed",
	metering.FindingForeign:    "journals that are not billed here",
	metering.FindingLost:       "journals are gone",
	metering.FindingUnsealed:   "hours are not sealed",
	metering.FindingSaturated:  "counters are at their end",
}

// usage makes the lines of the report about usage: one for each remedy, or one
// that says that all is well, with what is worth knowing.
func (d doctor) usage(well string, found []abi.Finding) []Check {
	const name = "usage"
	var bad []Check
	var notes []string
	at := map[string]int{}
	for _, f := range found {
		if f.Severity == abi.SeverityInfo {
			notes = append(notes, f.Message)
			continue
		}
		damage := &storage.Damage{Detail: f.Message}
		if f.Path != "" {
			damage.File, damage.Detail = filepath.Join(d.path(journalDir), f.Path), strings.TrimPrefix(f.Message, f.Path+" ")
		}
		kind := f.Code + f.Remedy.Summary
		i, known := at[kind]
		if !known {
			i, at[kind] = len(bad), len(bad)
			bad = append(bad, Check{Name: name, Detail: troubles[f.Code], Remedy: f.Remedy})
		}
		bad[i].Damage = append(bad[i].Damage, damageOf(damage))
	}
	switch {
	case len(bad) == 0:
		return []Check{{Name: name, OK: true, Detail: strings.Join(append([]string{well}, notes...), "; ")}}
	case len(notes) > 0:
		bad = append(bad, Check{Name: name, OK: true, Detail: "worth knowing: " + strings.Join(notes, "; ")})
	}
	return bad
}

// reconcile reads the journals that are kept, and compares them with what is
// billed.
func (d doctor) reconcile(ctx context.Context, meter *metering.Meter) []Check {
	r, err := meter.Reconcile(ctx)
	var findings []abi.Finding
	if err == nil {
		findings, err = meter.Findings(ctx)
	}
	if err != nil {
		return []Check{{Name: "usage", Detail: err.Error(), Remedy: abi.Remedy{Summary: "Read the node's log; make sure that the data directory can be read and written."}}}
	}
	return d.usage(fmt.Sprintf("%s billed, and the journals that are kept say the same (%s read)", humanize.Plural(r.Balance.Cells.Calls, "call is", "calls are"), humanize.Plural(r.Epochs, "was", "were")), findings)
}
