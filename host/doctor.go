package host

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/host/internal/boltstore"
	"github.com/agora-host/agora/host/internal/web"
	"github.com/agora-host/agora/registry"
)

// Doctor reads everything stored, down to the last byte, and says what is
// damaged. It changes nothing.
func (h *Host) Doctor(ctx context.Context) ([]web.Check, error) {
	if _, err := h.allow(ctx, access.RoleOperator); err != nil {
		return nil, err
	}
	restore := abi.Remedy{Summary: "Stop the node and restore the data directory from a backup."}
	checks := []web.Check{
		verdict("state", "every record matches its checksum, and the pages hang together", restore, h.store.Check(ctx)...),
		verdict("apps' data", "every record matches its checksum, and quotas are counted right", restore, h.kv.Check(ctx)...),
	}
	n, damaged := h.blobs.Check(ctx)
	checks = append(checks, verdict("modules and signatures", fmt.Sprintf("%d files match their digests", n), restore, damaged...))
	releases, err := h.checkReleases(ctx)
	if err != nil {
		return nil, err
	}
	return append(checks, releases, h.checkBooks(ctx)), nil
}

// verdict makes one line of the report out of what a check found.
func verdict(name, well string, remedy abi.Remedy, problems ...error) web.Check {
	if len(problems) == 0 {
		return web.Check{Name: name, OK: true, Detail: well}
	}
	detail := problems[0].Error()
	if more := len(problems) - 1; more > 0 {
		detail += fmt.Sprintf(" (and %d more)", more)
	}
	return web.Check{Name: name, Detail: detail, Remedy: remedy}
}

// checkReleases verifies every release's signature over its stored bytes.
func (h *Host) checkReleases(ctx context.Context) (web.Check, error) {
	var releases []registry.Release
	err := h.store.View(ctx, func(tx *boltstore.Tx) error {
		apps, err := tx.Apps()
		if err != nil {
			return err
		}
		for _, app := range apps {
			of, err := tx.Releases(app.Name)
			if err != nil {
				return err
			}
			releases = append(releases, of...)
		}
		return nil
	})
	if err != nil {
		return web.Check{}, err
	}
	var problems []error
	for _, r := range releases {
		if err := ctx.Err(); err != nil {
			return web.Check{}, err
		}
		if _, err := h.verified(ctx, r); err != nil {
			problems = append(problems, err)
		}
	}
	return verdict("releases", fmt.Sprintf("%d releases are signed by whom they say", len(releases)),
		abi.Remedy{Summary: "Upload the release again, or register the key that signed it.", Commands: []string{"agora keys", "agora deploy"}}, problems...), nil
}

// checkBooks reads the journals that are kept, and compares them with what is
// billed.
func (h *Host) checkBooks(ctx context.Context) web.Check {
	const name = "usage"
	look := abi.Remedy{Summary: "Read the node's log; make sure that the data directory can be read and written."}
	r, err := h.meter.Reconcile(ctx)
	if err != nil {
		return web.Check{Name: name, Detail: err.Error(), Remedy: look}
	}
	findings, err := h.meter.Findings(ctx)
	if err != nil {
		return web.Check{Name: name, Detail: err.Error(), Remedy: look}
	}
	findings = slices.DeleteFunc(findings, func(f abi.Finding) bool { return f.Severity == abi.SeverityNote })
	if len(findings) == 0 {
		return web.Check{Name: name, OK: true, Detail: fmt.Sprintf("%d calls are billed, and the %d journals that are kept say the same", r.Balance.Cells.Calls, r.Epochs)}
	}
	var problems []error
	for _, f := range findings {
		problems = append(problems, errors.New(f.Message))
	}
	return verdict(name, "", findings[0].Remedy, problems...)
}
