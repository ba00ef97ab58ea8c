package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/capability/fetch"
	"github.com/agora-host/agora/host/capability/llm"
	"github.com/agora-host/agora/host/redact"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
)

// Line is one line of an app's log.
type Line struct {
	At      time.Time
	App     string
	Release int
	Level   string
	Source  string // SourceLog, SourceStderr or SourceNode
	Message string
	Call    string   // the invocation that it is about
	Outcome *Outcome // how that ended, if this line says so
}

// Outcome is how a call that failed, or was refused, ended.
type Outcome struct {
	Problem                                          string // the slug of its kind
	Tier, Trigger                                    string
	Instructions, GuestMicros, HostMicros, MemoryKiB uint64
}

// The sources of lines.
const (
	SourceLog    = "log" // the capability
	SourceStderr = "stderr"
	SourceNode   = "node" // what the node says about the app
)

// lines writes the apps' logs, and opens the secrets that must not be in them.
type lines struct {
	o    *Options
	used *tally // of secrets that were taken out

	redactors sync.Map // of *redact.Redactor, by app
	told      told
}

func (l *lines) redactor(app string) *redact.Redactor {
	if found, ok := l.redactors.Load(app); ok {
		return found.(*redact.Redactor)
	}
	found, _ := l.redactors.LoadOrStore(app, &redact.Redactor{})
	return found.(*redact.Redactor)
}

// forget drops what is known of an app that is gone.
func (l *lines) forget(app string) { l.redactors.Delete(app) }

// log is what an app writes through the capability.
func (l *lines) log(ctx context.Context, app string, release int, level, message string) {
	l.write(Line{App: app, Release: release, Level: level, Source: SourceLog, Message: message, Call: abi.CallOf(ctx)})
}

// write writes into an app's log, without the app's secrets.
func (l *lines) write(line Line) {
	line.Message = l.redact(line.App, line.Release, line.Message)
	l.append(line)
}

func (l *lines) append(line Line) {
	line.At = l.o.Now()
	if err := l.o.Logs.Append(line); err != nil {
		l.o.Logger.Error("write an app's log", "app", line.App, "err", err)
	}
}

// redact takes an app's secrets out of a line that the app wrote, and notes that it had to.
func (l *lines) redact(app string, release int, message string) string {
	r := l.redactor(app)
	r.Load(func(add func(name string, value []byte)) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := l.eachSecret(ctx, app, add); err != nil {
			l.o.Logger.Error("an app's secrets cannot be looked for in its log", "app", app, "err", err)
		}
	})
	clean, found := r.Redact(message)
	for _, name := range found {
		use := abi.Use{Capability: "secret", Meter: abi.MeterRedacted, Subject: name, N: 1}
		l.used.add(app, release, []abi.Use{use}, l.o.Now())
	}
	if len(found) > 0 {
		l.tell(app, release, abi.Finding{
			Code: "secret.logged", Severity: abi.SeverityInfo, Subject: strings.Join(found, " "),
			Message: fmt.Sprintf("The app wrote the secret %s into its log; the node took it out.", strings.Join(found, " and ")),
			Remedy:  abi.Remedy{Summary: "Remove what prints it, and consider setting a new value."},
		})
	}
	return clean
}

// eachSecret opens all secrets of an app.
func (l *lines) eachSecret(ctx context.Context, app string, add func(name string, value []byte)) error {
	var all []secrets.Secret
	err := l.o.State.View(ctx, func(tx state.Reader) (err error) {
		all, err = tx.Secrets(app)
		return err
	})
	for _, s := range all {
		value, openErr := l.o.Ring.Open(s)
		if err = errors.Join(err, openErr); openErr == nil {
			add(s.Name, value)
		}
	}
	return err
}

// open opens a secret for a caller that has checked that the app may have it, or that the app does
// not get to see it. From then on it is looked for in the app's log.
func (l *lines) open(ctx context.Context, app, name string) ([]byte, error) {
	var s secrets.Secret
	err := l.o.State.View(ctx, func(tx state.Reader) (err error) {
		if s, err = tx.Secret(app, name); err != nil {
			return fmt.Errorf("secret %q of app %q: %w", name, app, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	value, err := l.o.Ring.Open(s)
	if err == nil {
		l.redactor(app).Add(name, value)
	}
	return value, err
}

// Open is open in words that a guest understands: abi.ErrnoNotFound if no value is set.
func (l *lines) Open(ctx context.Context, app, name string) ([]byte, error) {
	value, err := l.open(ctx, app, name)
	if errors.Is(err, secrets.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", abi.ErrnoNotFound, err)
	}
	return value, err
}

// told remembers what owners were told, so that an app in a loop does not fill its own log.
type told struct {
	mu   sync.Mutex
	when map[[3]string]time.Time // by app, code and subject; guarded by mu
}

const (
	tellAgain = time.Minute
	maxTold   = 4096
)

// first reports whether this was not said within the last minute.
func (t *told) first(app string, f abi.Finding, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := [3]string{app, f.Code, f.Subject}
	if before, ok := t.when[key]; ok && now.Sub(before) < tellAgain {
		return false
	}
	if t.when == nil || len(t.when) >= maxTold {
		t.when = map[[3]string]time.Time{}
	}
	t.when[key] = now
	return true
}

// tell writes into an app's log what its owner can do something about.
func (l *lines) tell(app string, release int, f abi.Finding) {
	if !l.told.first(app, f, l.o.Now()) {
		return
	}
	text := append([]string{f.Message + " " + f.Remedy.Summary}, f.Remedy.Commands...)
	l.append(Line{App: app, Release: release, Level: "warn", Source: SourceNode, Message: strings.Join(text, "\n")})
}

func (l *lines) tellFetch(_ context.Context, app fetch.App, f abi.Finding) {
	l.tell(app.Name, app.Release, f)
}

func (l *lines) tellLLM(_ context.Context, app llm.App, f abi.Finding) {
	l.tell(app.Name, app.Release, f)
}

// tellKept tells the owner why the app could not keep what it wrote with a capability.
func (t *target) tellKept(capability string) func(error) {
	app, release, lines := t.app.Name, t.release.Number, t.host.lines
	return func(err error) {
		f := abi.Finding{
			Code: capability + ".over_quota", Severity: abi.SeverityInfo, Path: "capabilities." + capability,
			Message: fmt.Sprintf("The app could not keep what it wrote: it keeps as much as its grant of %s allows.", capability),
			Remedy:  abi.Remedy{Summary: fmt.Sprintf("Have it delete what it needs no more, or raise the quota of capabilities.%s in agora.toml and publish again.", capability)},
		}
		if sum, ok := errors.AsType[*abi.SumError](err); ok {
			f.Subject = sum.Quota
			f.Message = fmt.Sprintf("The app could not keep what it wrote: %v.", sum)
			f.Remedy = abi.Remedy{
				Summary:  "Delete what these apps need no more; an operator can raise the quota.",
				Commands: []string{"agora quotas list", "agora quotas set " + sum.Quota + " <limit> --reason <why>"},
			}
		}
		lines.tell(app, release, f)
	}
}
