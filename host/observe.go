package host

import (
	"context"
	"fmt"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/host/internal/boltstore"
	"github.com/agora-host/agora/host/internal/web"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
)

// Usage answers what was used. API, CLI and console all show this report.
func (h *Host) Usage(ctx context.Context, q metering.Query) (metering.Report, error) {
	if _, err := h.allow(ctx, access.RoleViewer); err != nil {
		return metering.Report{}, err
	}
	return h.meter.Report(ctx, q)
}

// Books says what somebody has to see to about usage.
func (h *Host) Books(ctx context.Context) ([]abi.Finding, error) {
	if _, err := h.allow(ctx, access.RoleViewer); err != nil {
		return nil, err
	}
	findings, err := h.meter.Findings(ctx)
	return slices.DeleteFunc(findings, func(f abi.Finding) bool { return f.Severity == abi.SeverityNote }), err
}

// Logs shows an app's log to its owner, to reviewers and to operators: what an
// app writes may be as confidential as what it works on.
func (h *Host) Logs(ctx context.Context, name string, limit int) ([]web.LogLine, error) {
	actor, err := h.allow(ctx, access.RoleViewer)
	if err != nil {
		return nil, err
	}
	var app registry.App
	err = h.store.View(ctx, func(tx *boltstore.Tx) (err error) {
		app, err = tx.App(name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("app %q: %w", name, err)
	}
	if !looksInto(actor, app.Owner) {
		return nil, fmt.Errorf("the log of %q is for its owner %s, for reviewers and for operators: %w", name, app.Owner, access.ErrForbidden)
	}
	lines, err := h.logs.Tail(name, limit)
	if err != nil {
		return nil, fmt.Errorf("read the log of %q: %w", name, err)
	}
	shown := make([]web.LogLine, len(lines))
	for i, l := range lines {
		shown[i] = web.LogLine(l)
	}
	return shown, nil
}
