package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/agora-host/agora/control/apps"
	"github.com/agora-host/agora/control/governance"
	"github.com/agora-host/agora/control/inbox"
	"github.com/agora-host/agora/control/people"
	"github.com/agora-host/agora/host"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/store/logstore"
	"github.com/agora-host/agora/store/samplestore"
	"github.com/agora-host/agora/web/problem"
)

// plane is the data plane, which the services are made before: it is there once the node listens.
type plane struct {
	Host   *host.Host
	engine *engine.Engine
}

// openHost makes the data plane, with what it needs of the stores, and has it follow the feed.
func (n *Node) openHost(ctx context.Context) (err error) {
	calls := &measures{}
	n.Host, err = host.Open(ctx, host.Options{
		State: n.store, Rules: n.policy, Engine: n.engine, Meter: n.meter, Queue: n.queue,
		KV: thrifty{n.kv, n.reserve, &n.sums.rooms}, Blobs: thriftyFiles{n.files, n.reserve, &n.sums.rooms}, Spent: n.kv, Kept: n.kv,
		Ring: n.ring, Logs: appLogs{n.logs}, Addresses: addresses{&n.origins},
		Module: n.verifier.verified, Problem: problemOf, Room: n.reserve.apps, FuelSpent: n.sums.spent, Paced: n.bounds.calls.Take, Observers: []host.Observer{calls.count, sampler{n.samples}.observe},
		SignOn: signOn{n.SignOn, n.Audiences}, Identities: n.identity, Audience: n.audiences(),
		Egress: n.egress, Models: n.models, Programs: cmp.Or(n.o.programs, min(host.DefaultPrograms, n.o.Memory/8)),
		Environment: n.o.Environment, PauseTriggers: n.o.PauseTriggers, Logger: n.log, Watch: n.watch, Now: n.o.Now,
	})
	if err != nil {
		return err
	}
	n.onStop("apps", n.Host.Close)
	n.Automation = apps.NewAutomation(n.desk, n.Host.Triggers)
	n.Pages = apps.NewPages(n.Catalogue, n.Automation, n.Observer)
	n.Host.Follow(n.followers)
	n.followers.Follow("removals", true, followDeletions(n.Keeper))
	if err := n.followers.FollowDurably(ctx, "rotations", n.Vault.FollowRotations, "secrets.rotated"); err != nil {
		return err
	}
	if err := n.followers.FollowDurably(ctx, inbox.Follower, n.Inbox.Follow, n.Inbox.Kinds()...); err != nil {
		return err
	}
	n.Calls = &Calls{desk: n.desk, host: n.Host}
	n.Checkup = &Checkup{
		doctor: doctor{dir: n.o.DataDir}, stores: n.stores, desk: n.desk, blobs: n.blobs, store: n.store, verifier: n.verifier, files: n.files, ring: n.ring,
		keeper: n.Keeper, meter: n.meter, reserve: n.reserve, watch: n.watch, starts: n.starts, followers: n.followers, budgets: n.budgets,
		triggers: n.Host.Triggers, paused: n.o.PauseTriggers, tls: n.tls, signIn: n.signIn, inbox: n.Inbox, outlets: n.outlets,
	}
	n.metrics = &metrics{
		calls: calls, version: n.o.Version, started: n.started, dir: n.o.DataDir, people: n.People, store: n.store, followers: n.followers,
		meter: n.meter, host: n.Host, reserve: n.reserve, budgets: n.budgets, watch: n.watch, tls: n.tls, signIn: n.signIn, inbox: n.Inbox,
	}
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

// ConsoleURL is the console's origin.
func (a addresses) ConsoleURL() string { return a.consoleURL }

// KeepsSignIn: browsers keep a Secure cookie where there is TLS, and on loopback.
func (a addresses) KeepsSignIn(host string) error {
	name, _ := splitPort(host)
	ip, err := netip.ParseAddr(strings.Trim(name, "[]"))
	if a.scheme == "https" || name == "localhost" || strings.HasSuffix(name, ".localhost") || err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("people come to %s by plain http, where no browser keeps a sign-in: let them come by https, and start the node with --console-url https://…, or have the app be public", host)
}

// signOn is what the gate of the apps asks of control.
type signOn struct {
	*people.SignOn
	*governance.Audiences
}

// places are the addresses of apps, as the data plane leads them.
type places struct{ *plane }

func (p places) AppAt(ctx context.Context, host string) (registry.App, error) {
	return p.Host.AppAt(ctx, host)
}

func problemOf(err error) host.Problem {
	return host.Problem{Slug: problem.Slug(err), Detail: problem.For(err).Detail, Internal: problem.Internal(err)}
}

// sampler keeps some calls to be looked at.
type sampler struct{ *samplestore.Store }

func (k sampler) observe(s host.Settled) {
	k.Add(&samplestore.Sample{
		App: s.App, ID: s.ID, At: s.At, Release: s.Release, Tier: s.Tier, Trigger: s.Trigger, Status: s.Status, Fault: s.Fault,
		Instructions: s.Instructions, GuestMicros: s.GuestMicros, HostMicros: s.HostMicros,
	})
}

// storeUsed is how often what was noted of apps goes to the store, and when tokens were used. A kill
// loses what came since: it is shown to people, and not billed.
const storeUsed = 5 * time.Second

// endVisitsEvery is how often sessions are looked for that ended while something runs for them.
const endVisitsEvery = 15 * time.Second

// flushUsed brings what was used, and when tokens were, to the store. What the store does not take is
// logged, and forgotten.
func (n *Node) flushUsed(ctx context.Context) error {
	return errors.Join(n.Host.FlushUsed(ctx), n.People.StoreUses(ctx))
}
