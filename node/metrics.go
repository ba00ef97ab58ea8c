package node

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control/inbox"
	"github.com/agora-host/agora/control/people"
	"github.com/agora-host/agora/host"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/node/internal/telemetry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/problem"
)

// maxMeasured bounds how many apps have series of their own; the others share
// one. A scraper keeps each series for as long as it keeps anything.
const maxMeasured = 500

// otherApps can be no app's name.
const otherApps = "(other)"

// measures count since the node started, for those who scrape; bills come from
// the journal.
type measures struct {
	took telemetry.Histogram

	mu   sync.Mutex // guards apps
	apps map[string]*appMeasures
}

type appMeasures struct {
	calls, failed, canceled, instructions, guest, host, in, out atomic.Uint64
}

func (m *measures) count(v host.Settled) {
	m.took.Observe(time.Duration(v.GuestMicros+v.HostMicros) * time.Microsecond)
	a := m.of(v.App)
	a.calls.Add(1)
	switch {
	case abi.Failed(v.Fault):
		a.failed.Add(1)
	case v.Fault != "":
		a.canceled.Add(1)
	}
	a.instructions.Add(v.Instructions)
	a.guest.Add(v.GuestMicros)
	a.host.Add(v.HostMicros)
	a.in.Add(v.BytesIn)
	a.out.Add(v.BytesOut)
}

func (m *measures) of(app string) *appMeasures {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.apps == nil {
		m.apps = map[string]*appMeasures{}
	}
	a := m.apps[app]
	if a == nil && len(m.apps) >= maxMeasured {
		app = otherApps
		a = m.apps[app]
	}
	if a == nil {
		a = &appMeasures{}
		m.apps[app] = a
	}
	return a
}

// write writes a family for each meter, with a sample for each app.
func (m *measures) write(p *telemetry.Page) {
	m.mu.Lock()
	names := make([]string, 0, len(m.apps))
	for name := range m.apps {
		names = append(names, name)
	}
	apps := make(map[string]*appMeasures, len(names))
	for _, name := range names {
		apps[name] = m.apps[name]
	}
	m.mu.Unlock()
	slices.Sort(names)
	for _, f := range []struct {
		name, help string
		unit       float64
		of         func(*appMeasures) uint64
	}{
		{"agora_invocations_total", "calls of apps", 1, func(a *appMeasures) uint64 { return a.calls.Load() }},
		{"agora_invocations_failed_total", "calls that ended in a fault of the app or its limits", 1, func(a *appMeasures) uint64 { return a.failed.Load() }},
		{"agora_invocations_canceled_total", "calls whose callers left before they were over, such as readers that closed a stream", 1, func(a *appMeasures) uint64 { return a.canceled.Load() }},
		{"agora_instructions_total", "WebAssembly instructions executed", 1, func(a *appMeasures) uint64 { return a.instructions.Load() }},
		{"agora_guest_seconds_total", "time of apps' own work", 1e-6, func(a *appMeasures) uint64 { return a.guest.Load() }},
		{"agora_host_seconds_total", "time that apps waited for what they asked of the node", 1e-6, func(a *appMeasures) uint64 { return a.host.Load() }},
		{"agora_request_bytes_total", "bytes of request bodies", 1, func(a *appMeasures) uint64 { return a.in.Load() }},
		{"agora_response_bytes_total", "bytes of response bodies", 1, func(a *appMeasures) uint64 { return a.out.Load() }},
	} {
		p.Family(f.name, telemetry.Counter, f.help)
		for _, name := range names {
			p.Sample(float64(f.of(apps[name]))*f.unit, "app", name)
		}
	}
	p.Histogram("agora_invocation_duration_seconds", "how long calls took, guest and host together", &m.took)
}

// metrics are all that a node tells those who scrape it.
type metrics struct {
	calls     *measures
	version   string
	started   time.Time
	dir       string // of the data
	people    *people.Service
	store     state.Store
	followers *state.Followers
	meter     *metering.Meter
	host      *host.Host
	reserve   *reserve
	budgets   *budgets
	watch     *calm.Watch
	tls       *security
	signIn    *signIn
	inbox     *inbox.Service
}

// serve responds to a scrape, which needs an operator's token with the scope for it, by whatever
// name or address the node is called.
func (m *metrics) serve(w http.ResponseWriter, r *http.Request) {
	if web.FromElsewhere(r) {
		problem.Write(w, problem.ErrCrossOrigin)
		return
	}
	if err := m.mayScrape(r); err != nil {
		problem.Write(w, err)
		return
	}
	var p telemetry.Page
	m.calls.write(&p)
	m.measureNode(r.Context(), &p)
	w.Header().Set("Content-Type", telemetry.ContentType)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(p.Bytes())
}

func (m *metrics) mayScrape(r *http.Request) error {
	secret, err := web.Bearer(r)
	if err != nil {
		return err
	}
	actor, err := m.people.Authenticate(r.Context(), secret)
	if err != nil {
		return err
	}
	return errors.Join(access.May(actor, access.Operate, access.TheNode), actor.Allows(access.ScopeMetricsRead), actor.AllowsApp(""))
}

// measureNode writes what the node knows of itself.
func (m *metrics) measureNode(ctx context.Context, p *telemetry.Page) {
	gauge := func(name, help string, value float64) { p.One(name, telemetry.Gauge, help, value) }
	p.Family("agora_build_info", telemetry.Gauge, "always 1; the labels say what runs")
	p.Sample(1, "version", m.version, "go", runtime.Version())
	gauge("agora_start_time_seconds", "when the node started, Unix time", float64(m.started.UnixMilli())/1000)
	ready := 1.0
	if m.meter.Ready() != nil {
		ready = 0
	}
	gauge("agora_metering_ready", "1 while usage can be journaled and apps are served", ready)
	var apps, open, rev float64
	err := m.store.View(ctx, func(tx state.Reader) error {
		all, err := tx.NumberOfApps()
		if err != nil {
			return err
		}
		waiting, err := tx.CountOpen("")
		apps, open = float64(all), float64(waiting)
		return err
	})
	if last, revErr := m.store.Rev(ctx); err == nil && revErr == nil {
		rev = float64(last)
		gauge("agora_apps", "apps that are registered", apps)
		gauge("agora_approval_requests_open", "requests that wait for a reviewer", open)
		p.One("agora_revision", telemetry.Counter, "changes of state, ever", rev)
		measureFollowers(p, m.followers.State(), last)
	}
	gauge("agora_programs_loaded", "releases that are in memory", float64(m.host.InMemory().Programs))
	m.budgets.measure(p)
	m.tls.measure(p)
	m.signIn.measure(p)
	m.measureNotices(ctx, p)
	m.measurePanics(p)
	m.measureDisk(p)
	measureMemory(p)
}

func (m *metrics) measurePanics(p *telemetry.Page) {
	p.Family("agora_panics_total", telemetry.Counter, "panics of the node's own code that were recovered: each is a defect, and is in the node's log with its stack")
	for where, n := range m.watch.Counts() {
		p.Sample(float64(n), "where", where)
	}
}

func (m *metrics) measureDisk(p *telemetry.Page) {
	p.Family("agora_store_bytes", telemetry.Gauge, "size of a store's file")
	for _, s := range storeFiles {
		if info, err := os.Stat(filepath.Join(m.dir, s.name)); err == nil {
			p.Sample(float64(info.Size()), "file", s.name)
		}
	}
	m.reserve.measure(p)
	if all, err := snapshots(m.dir); err == nil && len(all) > 0 {
		if at, err := time.Parse(snapshotLayout, all[len(all)-1]); err == nil {
			p.One("agora_last_snapshot_timestamp_seconds", telemetry.Gauge, "when the last snapshot was made, Unix time", float64(at.Unix()))
		}
	}
}

func measureMemory(p *telemetry.Page) {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	p.One("go_goroutines", telemetry.Gauge, "goroutines that exist", float64(runtime.NumGoroutine()))
	p.One("go_memstats_heap_alloc_bytes", telemetry.Gauge, "bytes of objects in the heap", float64(stats.HeapAlloc))
	p.One("go_memstats_sys_bytes", telemetry.Gauge, "bytes obtained from the system", float64(stats.Sys))
	p.One("go_gc_cycles_total", telemetry.Counter, "collections that were completed", float64(stats.NumGC))
}
