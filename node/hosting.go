package node

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/agora-host/agora/control/apps"
	"github.com/agora-host/agora/host"
	"github.com/agora-host/agora/store/logstore"
	"github.com/agora-host/agora/store/samplestore"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/problem"
)

// openHost makes the data plane, with what it needs of the stores, and has it follow the feed.
func (h *Node) openHost(ctx context.Context) (err error) {
	h.Host, err = host.Open(ctx, host.Options{
		State: h.store, Rules: h.policy, Engine: h.engine, Meter: h.meter, Queue: h.queue,
		KV: thrifty{h.kv, h.reserve}, Blobs: thriftyFiles{h.files, h.reserve}, Spent: h.kv, Kept: h.kv,
		Ring: h.ring, Logs: appLogs{h.logs}, Addresses: addresses{&h.origins},
		Module: h.verifier.verified, Problem: problemOf, Room: h.reserve.apps, Observers: []host.Observer{h.measures.count, h.sample},
		HiddenCookies: []string{web.SessionCookie, "__Host-" + web.SessionCookie},
		Egress:        h.egress, Models: h.models, Programs: cmp.Or(h.o.programs, min(host.DefaultPrograms, h.o.Memory/8)),
		Environment: h.o.Environment, PauseTriggers: h.o.PauseTriggers, Logger: h.log, Watch: h.watch, Now: h.o.Now,
	})
	if err != nil {
		return err
	}
	h.onStop("apps", h.Host.Close)
	h.Automation = apps.NewAutomation(h.desk, h.Host.Triggers)
	h.Pages = apps.NewPages(h.Catalogue, h.Automation, h.Observer)
	h.Host.Follow(h.followers)
	h.followers.Follow("removals", true, h.followDeletions)
	return nil
}

// appLogs are the apps' logs as the host writes them.
type appLogs struct{ *logstore.Store }

func (s appLogs) Append(l host.Line) error {
	line := logstore.Line{At: l.At, App: l.App, Release: l.Release, Level: l.Level, Source: l.Source, Message: l.Message, Call: l.Call}
	if l.Outcome != nil {
		line.Outcome = (*logstore.Outcome)(l.Outcome)
	}
	return s.Store.Append(line)
}

// addresses are the apps' side of the front door. The origins are known once the node listens.
type addresses struct{ *origins }

func (a addresses) Label(host string) (label string, below bool) {
	return strings.CutSuffix(authority(host, a.scheme), "."+a.appsDomain)
}

func (a addresses) AppHost(app string) string { return app + "." + a.appsDomain }

func (a addresses) Scheme() string { return a.scheme }

func problemOf(err error) host.Problem {
	return host.Problem{Slug: problem.Slug(err), Detail: problem.For(err).Detail, Internal: problem.Internal(err)}
}

// sample keeps some calls to be looked at.
func (h *Node) sample(s host.Settled) {
	h.samples.Add(&samplestore.Sample{
		App: s.App, ID: s.ID, At: s.At, Release: s.Release, Tier: s.Tier, Trigger: s.Trigger, Status: s.Status, Fault: s.Fault,
		Instructions: s.Instructions, GuestMicros: s.GuestMicros, HostMicros: s.HostMicros,
	})
}

// storeUsed is how often what was used goes to the store. A kill loses what came since: it is shown to
// people, and not billed.
const storeUsed = 5 * time.Second

// flushUsed brings what was used, and when tokens were, to the store. What the store does not take is
// logged, and forgotten.
func (h *Node) flushUsed(ctx context.Context) error {
	return errors.Join(h.Host.FlushUsed(ctx), h.People.StoreTokensUsed(ctx))
}
