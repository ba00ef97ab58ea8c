package node

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/apps"
	"github.com/agora-host/agora/host"
	"github.com/agora-host/agora/internal/failpoint"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/registry/sigstore"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/store/blobstore"
	"github.com/agora-host/agora/store/filestore"
	"github.com/agora-host/agora/store/logstore"
	"github.com/agora-host/agora/store/samplestore"
	"github.com/agora-host/agora/web/problem"
)

// What follows is how the services reach the rest of the node: each type is one of their interfaces.

// AppURL and the others are for what people see of addresses.
func (a addresses) AppURL(label string) string { return a.appURL(label) }

func (a addresses) Canonical(host string) string { return authority(host, a.scheme) }

// Reserved looks at names alone, whatever the port, since cookies do not know ports.
func (a addresses) Reserved(host string) bool {
	bare := func(s string) string { name, _ := splitPort(s); return name }
	name, apps := bare(host), bare(a.appsDomain)
	return name == bare(a.consoleHost) || name == apps || strings.HasSuffix(name, "."+apps)
}

// uses are what releases did, in the state and since it was last written there.
type uses struct{ *plane }

func (u uses) UsedBy(tx state.Reader, app string, release int) ([]approvals.Used, error) {
	return u.Host.UsedBy(tx, app, release)
}

func (u uses) UsedByAny(tx state.Reader, app string) ([]approvals.Used, error) {
	return u.Host.UsedByAny(tx, app)
}

// copies are the snapshots and backups that are made.
type copies struct{ *Upkeep }

func (c copies) Hold() (oldest time.Time, release func(), held bool, err error) { return c.hold() }

// seal is the node's authority where it signs documents.
type seal struct{ *sigstore.Authority }

func (s seal) VerifyDocument(document, signature []byte) error {
	root, err := s.TrustedRootJSON()
	if err != nil {
		return err
	}
	return sigstore.VerifyDocument(root, document, signature)
}

// remains are what a stopped app keeps in files and in memory.
type remains struct {
	stores
	*plane
	store state.Store
	blobs *blobstore.Store
	files *filestore.Store
	logs  *logstore.Store
	log   *slog.Logger
	flush func(context.Context) error // of what was used
}

func (r remains) Quiet(ctx context.Context, app string) error { return r.Host.WaitIdle(ctx, app) }

func (r remains) Measure(ctx context.Context, app string) ([]registry.Removed, error) {
	kv, kvErr := r.kv.Used(ctx, app)
	blobs, blobErr := r.kv.BlobsUsed(ctx, app)
	waiting := int64(0)
	for _, v := range r.Host.Triggers.Views(app) {
		waiting += int64(v.Queued + v.Running + v.Dead)
	}
	var all []registry.Removed
	for _, k := range []registry.Removed{
		{Kind: "key-value pairs", Count: kv.Keys, Bytes: kv.Bytes}, {Kind: "blobs", Count: blobs.Keys, Bytes: blobs.Bytes},
		{Kind: "deliveries and dead letters", Count: waiting}, {Kind: "log", Bytes: r.logs.Size(app)},
	} {
		if k.Count > 0 || k.Bytes > 0 {
			all = append(all, k)
		}
	}
	return all, errors.Join(kvErr, blobErr)
}

// Erase takes steps that find nothing the second time.
func (r remains) Erase(ctx context.Context, app string) error {
	for _, step := range []struct {
		place string // of a kill, in tests
		run   func(ctx context.Context, app string) error
	}{
		{"remove-queue", func(ctx context.Context, app string) error { _, err := r.Host.Triggers.Erase(ctx, app); return err }},
		{"remove-kv", r.kv.Erase},
		{"remove-files", r.files.Erase},
		{"remove-code", r.eraseCode},
		{"remove-log", func(_ context.Context, app string) error { return r.logs.Erase(app) }},
	} {
		if err := step.run(ctx, app); err != nil {
			return err
		}
		failpoint.Hit(step.place)
	}
	return r.flush(ctx) // what it used is a record, too
}

// eraseCode removes what was compiled of an app's modules.
func (r remains) eraseCode(ctx context.Context, app string) error {
	r.Host.Forget(app)
	var releases []registry.Release
	err := r.store.View(ctx, func(tx state.Reader) (err error) {
		releases, _, err = tx.ReleasesPart(app, state.Part{Limit: -1})
		return err
	})
	for _, release := range releases {
		module, readErr := r.blobs.Get(ctx, release.Digest)
		if readErr == nil {
			module, readErr = host.Program(module)
		}
		if readErr != nil { // the compiled code cannot be named without it; nothing finds it either
			r.log.WarnContext(ctx, "compiled code of a damaged module stays", "app", app, "release", release.Number, "err", readErr)
			continue
		}
		err = errors.Join(err, r.engine.Forget(module, host.EngineLimits(release)))
	}
	return err
}

func (r remains) Scrub(ctx context.Context) error {
	return errors.Join(r.kv.Scrub(ctx), r.queue.Scrub(ctx), r.file.Scrub(ctx))
}

// logs are the apps' logs.
type logs struct{ *logstore.Store }

func (l logs) Before(app string, place []byte, n int) (shown []control.LogLine, next []byte, err error) {
	var end *logstore.Place
	if place != nil {
		p, ok := logstore.ParsePlace(place)
		if !ok {
			return nil, nil, &control.ParameterError{Name: "cursor", Why: `is what the page before gave as "next"`}
		}
		end = &p
	}
	lines, first, err := l.Store.Before(app, end, n)
	for _, line := range lines {
		shown = append(shown, shownLine(line))
	}
	if first != nil {
		next = first.Bytes()
	}
	return shown, next, err
}

func (l logs) Find(app, call string, n int) ([]apps.Noted, error) {
	lines, err := l.Store.Find(app, call, n)
	noted := make([]apps.Noted, len(lines))
	for i, line := range lines {
		noted[i] = apps.Noted{LogLine: shownLine(line), Outcome: (*apps.Outcome)(line.Outcome)}
	}
	return noted, err
}

func shownLine(l logstore.Line) control.LogLine {
	return control.LogLine{At: l.At, App: l.App, Release: l.Release, Level: l.Level, Source: l.Source, Message: l.Message, Call: l.Call}
}

// samples are the calls that were kept.
type samples struct{ *samplestore.Store }

func (s samples) Read(ctx context.Context, app string, at time.Time) ([]control.Sample, error) {
	found, err := s.Store.Read(ctx, app, at)
	shown := make([]control.Sample, len(found))
	for i, v := range found {
		shown[i] = control.Sample(v)
	}
	return shown, err
}

func (s samples) Find(ctx context.Context, id string, at time.Time, back time.Duration) (control.Sample, bool, error) {
	found, ok, err := s.Store.Find(ctx, id, at, back)
	return control.Sample(found), ok, err
}

// problems is the table of problems.
type problems struct{}

func (problems) Slug(err error) string              { return problem.Slug(err) }
func (problems) Named(slug, app string) abi.Problem { return problem.Named(slug, app) }
