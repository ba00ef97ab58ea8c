package apps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// Meter reports what was used.
type Meter interface {
	Report(ctx context.Context, q metering.Query) (metering.Report, error)
	Findings(ctx context.Context) ([]abi.Finding, error)
}

// Logs reads the apps' logs.
type Logs interface {
	// Before returns the last lines of an app's log before a place in it, or before its end for nil,
	// oldest first, and the place before them; nil if there are none. A place that was never
	// returned is a control.ParameterError.
	Before(app string, place []byte, n int) (lines []control.LogLine, next []byte, err error)
	// Find returns the last lines about a call in an app's log, oldest first.
	Find(app, call string, n int) ([]Noted, error)
}

// Noted is a line of a log with what the node noted in it of the call that it is about.
type Noted struct {
	control.LogLine
	Outcome *Outcome // nil: the line does not say how the call ended
}

// Outcome is how a call failed, or why it was refused.
type Outcome struct {
	Problem                                          string // see Problems
	Tier, Trigger                                    string
	Instructions, GuestMicros, HostMicros, MemoryKiB uint64
}

// Samples are the calls that were kept to be looked at.
type Samples interface {
	// Read returns those in the hour of a time, of an app or, for "", of all, the last first.
	Read(ctx context.Context, app string, at time.Time) ([]control.Sample, error)
	// Find looks for a call in the hours up to a time, so far back.
	Find(ctx context.Context, id string, at time.Time, back time.Duration) (control.Sample, bool, error)
}

// Problems explain errors to the owner of an app. A problem has a name that a log can keep.
type Problems interface {
	Slug(err error) string
	Named(slug, app string) abi.Problem
}

// ObserverOptions are what an Observer needs.
type ObserverOptions struct {
	Desk     *control.Desk
	Meter    Meter
	Logs     Logs
	Samples  Samples
	Problems Problems
	IsCall   func(id string) bool // reports whether a text can be the id of a call
}

// Observer shows what happened, to those who may look into it.
type Observer struct {
	desk     *control.Desk
	meter    Meter
	logs     Logs
	samples  Samples
	problems Problems
	isCall   func(id string) bool
}

// NewObserver makes an Observer.
func NewObserver(o ObserverOptions) *Observer {
	return &Observer{desk: o.Desk, meter: o.Meter, logs: o.Logs, samples: o.Samples, problems: o.Problems, isCall: o.IsCall}
}

// Usage returns what was used, as far as the actor may see it: of one app, if it is theirs, and
// otherwise what was used in their name. API, CLI and console all show this report.
func (o *Observer) Usage(ctx context.Context, q metering.Query) (metering.Report, error) {
	actor, err := o.desk.Door(ctx, access.ReadUsage)
	if err != nil {
		return metering.Report{}, err
	}
	q.Known = o.desk.NameNow(ctx)
	if access.Allowed(actor, access.ReadAllUsage, access.TheNode) {
		return o.meter.Report(ctx, q)
	}
	_, err = appFor(ctx, o.desk, actor, access.ReadUsage, q.App)
	if errors.Is(err, registry.ErrNotFound) { // none is named, or one that is gone
		q.Owner, err = actor.User, nil
	}
	if err != nil {
		return metering.Report{}, err
	}
	return o.meter.Report(ctx, q)
}

// Books lists what an operator has to see to about usage.
func (o *Observer) Books(ctx context.Context) ([]abi.Finding, error) {
	if actor, err := o.desk.Door(ctx, access.ReadUsage); err != nil || !access.Allowed(actor, access.ReadAllUsage, access.TheNode) {
		return nil, err
	}
	findings, err := o.meter.Findings(ctx)
	return slices.DeleteFunc(findings, func(f abi.Finding) bool { return f.Severity == abi.SeverityInfo }), err
}

// Logs shows an app's log to its owner, to reviewers and to operators: what an app writes may be as
// confidential as what it works on. A page has the newest lines before its cursor, oldest first.
func (o *Observer) Logs(ctx context.Context, name string, p control.Page) (lines control.Items[control.LogLine], err error) {
	actor, err := o.desk.Door(ctx, access.ReadLog)
	if err != nil {
		return lines, err
	}
	if _, err := appFor(ctx, o.desk, actor, access.ReadLog, name); err != nil {
		return lines, err
	}
	return o.lines(name, p)
}

func (o *Observer) lines(app string, p control.Page) (control.Items[control.LogLine], error) {
	return control.Part(p, func(p state.Part) ([]control.LogLine, []byte, error) {
		lines, next, err := o.logs.Before(app, p.After, p.Limit)
		if err != nil {
			err = fmt.Errorf("read the log of %q: %w", app, err)
		}
		return lines, next, err
	})
}
