package node

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/store/logstore"
)

// Usage returns what was used, as far as the actor may see it: of one app, if it is theirs, and
// otherwise what was used in their name. API, CLI and console all show this report.
func (h *Node) Usage(ctx context.Context, q metering.Query) (metering.Report, error) {
	actor, err := h.desk.Allow(ctx, access.SignedIn)
	if err != nil {
		return metering.Report{}, err
	}
	q.Known = h.desk.NameNow(ctx)
	if actor.SeesUsage("") {
		return h.meter.Report(ctx, q)
	}
	app, err := h.app(ctx, q.App)
	if errors.Is(err, registry.ErrNotFound) { // none is named, or one that is gone
		q.Owner = actor.User
		return h.meter.Report(ctx, q)
	}
	if err != nil {
		return metering.Report{}, err
	}
	if !actor.SeesUsage(app.Owner) {
		return metering.Report{}, fmt.Errorf("the usage of %q is for its owner %s, for viewers, reviewers and operators: %w", q.App, app.Owner, access.ErrForbidden)
	}
	return h.meter.Report(ctx, q)
}

// Books says what somebody has to see to about usage.
func (h *Node) Books(ctx context.Context) ([]abi.Finding, error) {
	if actor, err := h.desk.Allow(ctx, access.SignedIn); err != nil || !actor.SeesUsage("") {
		return nil, err
	}
	findings, err := h.meter.Findings(ctx)
	return slices.DeleteFunc(findings, func(f abi.Finding) bool { return f.Severity == abi.SeverityNote }), err
}

// Logs shows an app's log to its owner, to reviewers and to operators: what an
// app writes may be as confidential as what it works on.
func (h *Node) Logs(ctx context.Context, name string, limit int) ([]control.LogLine, error) {
	actor, err := h.desk.Allow(ctx, access.SignedIn)
	if err != nil {
		return nil, err
	}
	app, err := h.app(ctx, name)
	if err != nil {
		return nil, err
	}
	if !control.MayLookInto(actor, app.Owner) {
		return nil, fmt.Errorf("the log of %q is for its owner %s, for reviewers and for operators: %w", name, app.Owner, access.ErrForbidden)
	}
	lines, err := h.logs.Tail(name, limit)
	if err != nil {
		return nil, fmt.Errorf("read the log of %q: %w", name, err)
	}
	shown := make([]control.LogLine, len(lines))
	for i, l := range lines {
		shown[i] = shownLine(l)
	}
	return shown, nil
}

func shownLine(l logstore.Line) control.LogLine {
	return control.LogLine{At: l.At, App: l.App, Release: l.Release, Level: l.Level, Source: l.Source, Message: l.Message, Call: l.Call}
}
