package node_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
)

// BenchmarkBackup measures what requests take while a backup runs, beside the
// same without one and beside a backup that never rests, in turns.
// AGORA_BACKUP_MB says how much the apps' data has; the benchmarks' part backup
// runs it.
func BenchmarkBackup(b *testing.B) {
	megabytes := 16
	if text := os.Getenv("AGORA_BACKUP_MB"); text != "" {
		var err error
		if megabytes, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	n := start(b)
	n.publish(n.ada(), manifest("shop", `durability = "process"`), says("one"))
	n.fillData(megabytes)
	ctx := access.WithActor(b.Context(), access.Actor{User: ops, Roles: []access.Role{access.RoleOperator}})
	var alone, rested, pressed []time.Duration
	var took time.Duration
	during := func(pace int) []time.Duration {
		n.SetPace(pace)
		done := make(chan struct{})
		go func() {
			defer close(done)
			started := time.Now()
			if err := n.Backup(ctx, io.Discard); err != nil {
				b.Error(err)
			}
			if pace > 0 {
				took = time.Since(started)
			}
		}()
		return n.keepAsking("shop", done)
	}
	for range 3 {
		pause := make(chan struct{})
		time.AfterFunc(max(3*time.Second, took/2), func() { close(pause) }) // others' work comes and goes
		alone = append(alone, n.keepAsking("shop", pause)...)
		rested = append(rested, during(3)...)
		pressed = append(pressed, during(0)...)
	}
	b.ReportMetric(0, "ns/op")
	for name, all := range map[string][]time.Duration{"alone": alone, "backup": rested, "unrested": pressed} {
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "µs-p99-"+name)
		b.ReportMetric(float64(all[len(all)/2].Microseconds()), "µs-p50-"+name)
	}
	b.ReportMetric(took.Seconds(), "s-backup")
	b.ReportMetric(float64(megabytes), "MB")
}

// fillData gives an app data that does not compress well.
func (n *testNode) fillData(megabytes int) {
	n.t.Helper()
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			r := rand.NewChaCha8([32]byte{byte(w)})
			value := make([]byte, 64<<10)
			for i := w; i < megabytes*16; i += 16 {
				_, _ = r.Read(value[:len(value)/2])
				if err := n.SetApp(n.t.Context(), "shop", fmt.Sprintf("k%06d", i), string(value)); err != nil {
					n.t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// keepAsking asks over eight connections, a hundred times a second each, until done.
func (n *testNode) keepAsking(app string, done <-chan struct{}) []time.Duration {
	n.t.Helper()
	var mu sync.Mutex
	var all []time.Duration
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			times, err := n.askOne(app, done)
			if err != nil {
				n.t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, times...)
		})
	}
	wg.Wait()
	return all
}

func (n *testNode) askOne(app string, done <-chan struct{}) (times []time.Duration, err error) {
	c, err := net.Dial("tcp", n.Addr().String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	r, err := http.NewRequest("GET", n.AppURL(app), nil)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReader(c)
	for {
		select {
		case <-done:
			return times, nil
		case <-time.After(10 * time.Millisecond):
		}
		started := time.Now()
		if err := r.Write(c); err != nil {
			return times, err
		}
		resp, err := http.ReadResponse(in, r)
		if err != nil {
			return times, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if err := resp.Body.Close(); err != nil {
			return times, err
		}
		times = append(times, time.Since(started))
		if err != nil || resp.StatusCode != 200 {
			return times, fmt.Errorf("status %d, %w", resp.StatusCode, err)
		}
	}
}
