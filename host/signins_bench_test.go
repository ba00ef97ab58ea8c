package host_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/store/boltstore"
)

const (
	manyApps   = 1000
	signIns    = 20 * time.Millisecond // between two of them: 50 a second
	benchPhase = 2 * time.Second
)

// BenchmarkSignIns measures the requests of 1,000 apps while nothing changes and while 50 people sign in
// each second, in turn, over HTTP and on a store on the disk. busy/quiet-p99 is to stay within 1.05, on a
// machine that does nothing else.
//
//	go test ./host -run '^$' -bench SignIns -benchtime 5x
func BenchmarkSignIns(b *testing.B) {
	store, err := boltstore.Open(filepath.Join(b.TempDir(), "state.db"), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	w := newWorld(b, store)
	_, err = store.Update(b.Context(), ada, func(tx state.Tx) (err error) { // beyond people's quotas
		tx.Emit("key.added", "", hint, nil)
		err = tx.PutKey(registry.Key{Hint: hint, Identity: ada})
		for i := range manyApps {
			name := fmt.Sprint("app-", i)
			err = errors.Join(err, tx.AddRelease(w.release(name, 1, "served")),
				tx.PutApp(registry.App{Name: name, Owner: ada, Releases: 1, Active: map[abi.Tier]int{abi.TierSandbox: 1}}))
			tx.Emit("release.published", name, "1", nil)
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	p := w.open()
	for i := range manyApps { // each is loaded
		if got := p.get(appAddress(fmt.Sprint("app-", i))); got != "served" {
			b.Fatal(got)
		}
	}
	front := httptest.NewServer(gateway.New(gateway.Options{Router: p.Host, WriteFault: func(w http.ResponseWriter, _ *http.Request, _ string, err error) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}}))
	b.Cleanup(front.Close)
	var quiet, busy []time.Duration
	n := 0
	for b.Loop() {
		quiet = append(quiet, p.requests(front.URL)...)
		stop := p.signingIn(&n)
		busy = append(busy, p.requests(front.URL)...)
		stop()
	}
	at := func(all []time.Duration, percent int) float64 {
		slices.Sort(all)
		return float64(all[len(all)*percent/100].Nanoseconds()) / 1e3
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(at(quiet, 99), "quiet-p99-us")
	b.ReportMetric(at(busy, 99), "busy-p99-us")
	b.ReportMetric(at(busy, 99)/at(quiet, 99), "busy/quiet-p99")
	b.ReportMetric(at(busy, 50)/at(quiet, 50), "busy/quiet-p50")
	b.ReportMetric(float64(n), "sign-ins")
}

// requests calls apps at random for a while, at an even rate, and returns how long each took.
func (p *plane) requests(url string) (took []time.Duration) {
	const every = 500 * time.Microsecond
	next := time.Now()
	for end := next.Add(benchPhase); next.Before(end); next = next.Add(every) {
		time.Sleep(time.Until(next))
		r, err := http.NewRequestWithContext(p.w.Context(), http.MethodGet, url, nil)
		if err != nil {
			p.w.Fatal(err)
		}
		r.Host = appAddress(fmt.Sprint("app-", rand.IntN(manyApps)))
		began := time.Now()
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			p.w.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		took = append(took, time.Since(began))
		if err := errors.Join(err, resp.Body.Close()); err != nil || string(body) != "served" {
			p.w.Fatalf("%s, %v", body, err)
		}
	}
	return took
}

// signingIn has people sign in until it is stopped.
func (p *plane) signingIn(n *int) (stop func()) {
	ctx, cancel := context.WithCancel(p.w.Context())
	var group sync.WaitGroup
	group.Go(func() {
		tick := time.NewTicker(signIns)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				*n++
				p.change(signIn(*n))
			}
		}
	})
	return func() { cancel(); group.Wait() }
}
