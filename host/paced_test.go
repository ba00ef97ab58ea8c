package host_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/metering/rate"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/statetest"
)

// BenchmarkPaced is a request through the gateway and a small app, without a connection: while no quota
// bounds requests a second, while one bounds another person's apps, and while three count it. They take
// turns, so that what else the machine does is the same for all. times-none is what each takes beside the
// first, at the median.
//
//	go test ./host -run '^$' -bench Paced -benchtime 20x
func BenchmarkPaced(b *testing.B) {
	w := newWorld(b, statetest.NewMemory(time.Now))
	table := rate.NewTable(time.Now)
	w.paced = table.Take
	p := w.open()
	r := w.release("paced", 1, "served")
	r.Manifest.Triggers, r.Capabilities, r.Manifest.Capabilities = registry.Triggers{}, nil, nil
	p.change(func(tx state.Tx) error {
		tx.Emit("release.published", "paced", "1", nil)
		return errors.Join(tx.PutKey(registry.Key{Hint: hint, Identity: ada}), tx.AddRelease(r),
			tx.PutApp(registry.App{Name: "paced", Owner: ada, Releases: 1, Active: map[abi.Tier]int{abi.TierSandbox: 1}}),
			tx.PutAudience(access.Audience{App: "paced", Tier: abi.TierSandbox, Kind: access.AudiencePublic}))
	})
	front := gateway.New(gateway.Options{Router: p.Host, WriteFault: func(_ http.ResponseWriter, _ *http.Request, _ string, err error) { b.Error(err) }})
	request := httptest.NewRequest("GET", "http://"+appAddress("paced")+"/", nil)
	serve := func() { clear(silent.header); front.ServeHTTP(silent, request) }
	serve()
	three := &rate.Limits{
		{Quota: "requests-a-second", Per: "person", Of: ada, Most: rate.MaxLimit}, {Quota: "group-requests-a-second", Per: "group", Of: "g", Most: rate.MaxLimit},
		{Quota: "node-requests-a-second", Per: "node", Most: rate.MaxLimit},
	}
	sets := map[string]map[string]*rate.Limits{"none": nil, "another": {"other": three}, "three": {"paced": three}}
	took := map[string][]float64{}
	const each = 1000
	order := []string{"none", "another", "three"}
	for b.Loop() {
		order = append(order[1:], order[0])
		for _, name := range order {
			table.Set(sets[name])
			began := time.Now()
			for range each {
				serve()
			}
			took[name] = append(took[name], float64(time.Since(began).Nanoseconds())/each)
		}
	}
	median := func(name string) float64 {
		slices.Sort(took[name])
		return took[name][len(took[name])/2]
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median("none"), "none-ns")
	b.ReportMetric(median("another")/median("none"), "another-times-none")
	b.ReportMetric(median("three")/median("none"), "three-times-none")
	for name, set := range sets {
		table.Set(set)
		b.ReportMetric(testing.AllocsPerRun(100, serve), name+"-allocs")
	}
}

// TestProgramsChangeAccounts: a program is loaded again, on the account of those who own its app now, when the
// app was handed over or shared, or its owner has another name; what happens to others does not touch it.
func TestProgramsChangeAccounts(t *testing.T) {
	w := newWorld(t, statetest.NewMemory(time.Now))
	p := w.open()
	p.change(func(tx state.Tx) error {
		tx.Emit("release.published", "paced", "1", nil)
		return errors.Join(tx.PutKey(registry.Key{Hint: hint, Identity: ada}), tx.AddRelease(w.release("paced", 1, "served")),
			tx.PutApp(registry.App{Name: "paced", Owner: ada, Releases: 1, Active: map[abi.Tier]int{abi.TierSandbox: 1}}))
	})
	for _, e := range []struct {
		kind, app, was string
		again          bool
	}{
		{"app.transferred", "paced", "", true}, {"app.shared", "paced", "", true}, {"user.renamed", "", ada, true},
		{"app.transferred", "other", "", false}, {"user.renamed", "", "bob@example.com", false}, {"release.published", "paced", "", false},
	} {
		if got := p.get(appAddress("paced")); got != "served" {
			t.Fatal(got)
		}
		p.change(func(tx state.Tx) error {
			tx.Emit(e.kind, e.app, "", map[string]string{"was": e.was})
			return nil
		})
		if got, want := p.InMemory().Programs, map[bool]int{false: 1}[e.again]; got != want {
			t.Errorf("after %+v, %d programs are loaded", e, got)
		}
	}
}
