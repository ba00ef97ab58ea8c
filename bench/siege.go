package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
)

// benchSiege attacks a node as strangers and makers of apps might, each attack beside a neighbour
// that is asked meanwhile, and compares what the neighbour notices with a quiet node in the same
// run. only, if not "", is the one part to run.
func benchSiege(ctx context.Context, span time.Duration, only string, apps, restarts int) error {
	for _, part := range []struct {
		name string
		run  func(context.Context, time.Duration) error
	}{
		{"strangers", siegeStrangers}, {"processors", siegeProcessors}, {"memory", siegeMemory},
		{"restarts", func(ctx context.Context, _ time.Duration) error { return siegeRestarts(ctx, apps, restarts) }},
	} {
		if only != "" && only != part.name {
			continue
		}
		if err := part.run(ctx, span); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// ownerOf is one of the owners of attacking apps.
func ownerOf(i int) string { return fmt.Sprintf("hog%d@example.com", i) }

// install publishes an app for an owner, with limits, and returns its host name.
func (n *siegeNode) install(ctx context.Context, owner, name, limits string, module []byte) (string, error) {
	as, err := n.as(owner)
	if err != nil {
		return "", err
	}
	manifest := fmt.Sprintf("name = %q\nversion = \"1\"\nowner = %q\nteam = \"a\"\ncost_center = \"c\"\ndata_classification = \"internal\"\ndurability = \"process\"\n[limits]\n%s\n", name, owner, limits)
	return as.upload(ctx, manifest, module)
}

// hammer keeps so many calls of a host going until the context ends, each with a connection of its own.
func hammer(ctx context.Context, group *sync.WaitGroup, addr, host string, calls int, statuses *statusCounts) {
	for range calls {
		group.Go(func() {
			for ctx.Err() == nil {
				status, err := callOnce(ctx, addr, host)
				if err == nil {
					statuses.add(status)
				} else if ctx.Err() == nil {
					statuses.add(0)
				}
			}
		})
	}
}

// callOnce makes one call over a connection of its own.
func callOnce(ctx context.Context, addr, host string) (status int, err error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// statusCounts counts responses by their status; 0 stands for none.
type statusCounts struct {
	mu     sync.Mutex
	counts map[int]int
}

func (s *statusCounts) add(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		s.counts = map[int]int{}
	}
	s.counts[status]++
}

func (s *statusCounts) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(s.counts)
}

// visits asks a host as two people would who think for two milliseconds between two requests, and
// returns the times in order.
func visits(addr, host string, span time.Duration) ([]time.Duration, error) {
	return visitsFrom(net.Dialer{}, addr, host, span)
}

// visitsFrom is visits through a dialer.
func visitsFrom(dialer net.Dialer, addr, host string, span time.Duration) ([]time.Duration, error) {
	var mu sync.Mutex
	var all []time.Duration
	var failed error
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			mine, err := askEvery(dialer, addr, host, 2*time.Millisecond, time.Now().Add(span))
			mu.Lock()
			defer mu.Unlock()
			all, failed = append(all, mine...), errors.Join(failed, err)
		})
	}
	group.Wait()
	slices.Sort(all)
	if len(all) == 0 && failed == nil {
		failed = errors.New("no request was answered")
	}
	return all, failed
}

// visit asks once over a connection, and returns how long that took.
func visit(c net.Conn, in *bufio.Reader, host string) (time.Duration, error) {
	started := time.Now()
	if _, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return 0, err
	}
	if _, err := in.Discard(int(resp.ContentLength)); err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s got %s", host, resp.Status)
	}
	return time.Since(started), nil
}

// askEvery asks over one connection with pauses.
func askEvery(dialer net.Dialer, addr, host string, pause time.Duration, end time.Time) (times []time.Duration, err error) {
	c, err := dialer.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	in := bufio.NewReader(c)
	for time.Now().Before(end) {
		took, err := visit(c, in, host)
		if err != nil {
			return times, err
		}
		times = append(times, took)
		time.Sleep(pause)
	}
	return times, nil
}

func at(sorted []time.Duration, percent int) time.Duration { return sorted[len(sorted)*percent/100] }

const spinLimits = "concurrency = 32\nfuel = 2000000000\ntimeout = \"10s\""

// siegeProcessors has apps spin, in calls of one owner and of eight.
func siegeProcessors(ctx context.Context, span time.Duration) error {
	owners := []string{owner}
	for i := range 8 { // the first of them has two apps
		owners = append(owners, ownerOf(i))
	}
	n, err := besiege(ctx, 0, owners, nil)
	if err != nil {
		return err
	}
	defer n.stop()
	neighbour, err := n.install(ctx, owner, "neighbour", "concurrency = 32", minimal(answer))
	if err != nil {
		return err
	}
	var spins []string
	for i := range 8 {
		host, err := n.install(ctx, ownerOf(i), fmt.Sprint("spins", i), spinLimits, wasmtest.App{Code: wasmtest.Forever}.Bytes())
		if err != nil {
			return err
		}
		spins = append(spins, host)
	}
	second, err := n.install(ctx, ownerOf(0), "more-spins", spinLimits, wasmtest.App{Code: wasmtest.Forever}.Bytes())
	if err != nil {
		return err
	}
	fmt.Printf("\nProcessors: what a neighbour notices of apps that spin; two connections with 2 ms of thought, then 16 without; %s each\n\n", span)
	fmt.Println("| beside | p50 | p99 | max | p50 ratio | p99 ratio | saturated, requests/s |\n|---|---:|---:|---:|---:|---:|---:|")
	var quiet []time.Duration
	row := func(name string, attack func(context.Context, *sync.WaitGroup, *statusCounts)) error {
		stop, cancel := context.WithCancel(ctx)
		var group sync.WaitGroup
		var statuses statusCounts
		if attack != nil {
			attack(stop, &group, &statuses)
			time.Sleep(300 * time.Millisecond)
		}
		times, err := visits(n.Addr, neighbour, span)
		var m measured
		if err == nil {
			m, err = drive(n.Addr, []string{neighbour}, "/", nil, span)
		}
		cancel()
		group.Wait()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if quiet == nil {
			quiet = times
		}
		fmt.Printf("| %s | %.2f ms | %.2f ms | %.2f ms | %.1f | %.1f | %.0f |\n", name, ms(at(times, 50)), ms(at(times, 99)), ms(times[len(times)-1]),
			float64(at(times, 50))/float64(at(quiet, 50)), float64(at(times, 99))/float64(at(quiet, 99)), m.perSecond)
		return nil
	}
	spin := func(calls int, apps ...string) func(context.Context, *sync.WaitGroup, *statusCounts) {
		return func(ctx context.Context, group *sync.WaitGroup, statuses *statusCounts) {
			for _, host := range apps {
				hammer(ctx, group, n.Addr, host, calls, statuses)
			}
		}
	}
	return errors.Join(row("nothing", nil), row("an ordinary busy process", busyProcess), row("1 call that spins", spin(1, spins[0])),
		row("8 calls of one owner", spin(8, spins[0])), row("64 calls of one owner", spin(32, spins[0], second)), row("8 calls of each of 8 owners", spin(8, spins...)))
}

// busyProcess keeps one processor busy from outside of the node.
func busyProcess(ctx context.Context, group *sync.WaitGroup, _ *statusCounts) {
	exe, err := os.Executable()
	if err != nil {
		return
	}
	cmd := exec.CommandContext(ctx, exe, "siege-busy")
	if cmd.Start() == nil {
		group.Go(func() { _ = cmd.Wait() })
	}
}

// siegeMemory has 16 apps of one owner fill their memory in 32 calls each, in a node of 1 GiB.
func siegeMemory(ctx context.Context, span time.Duration) error {
	prepare, remove := inCgroup(1 << 30)
	defer remove()
	n, err := besiege(ctx, 1<<30, []string{owner, ownerOf(0)}, prepare)
	if err != nil {
		return err
	}
	defer n.stop()
	neighbour, err := n.install(ctx, owner, "neighbour", "concurrency = 32", minimal(answer))
	if err != nil {
		return err
	}
	// 60 MiB, written to, again and again.
	fill := wasm.AppendS64([]byte{wasm.OpI32Const}, 959)
	fill = append(fill, 0x40, 0, wasm.OpDrop, wasm.OpLoop, 0x40, wasm.OpI32Const, 0, wasm.OpI32Const, 1)
	fill = append(wasm.AppendS64(append(fill, wasm.OpI32Const), 60<<20), wasm.OpPrefixFC, 11, 0, wasm.OpBr, 0, wasm.OpEnd)
	var apps []string
	for i := range 16 {
		host, err := n.install(ctx, ownerOf(0), fmt.Sprint("fills", i), "concurrency = 32\nmemory = \"64MiB\"\nfuel = 2000000000\ntimeout = \"10s\"", wasmtest.App{Code: fill}.Bytes())
		if err != nil {
			return err
		}
		apps = append(apps, host)
	}
	fmt.Printf("\nMemory: 16 apps of one owner × 32 calls that fill 60 MiB each, in a node of 1 GiB (%s); %s each\n\n", cgroupNote, span)
	quiet, err := visits(n.Addr, neighbour, span)
	if err != nil {
		return err
	}
	stop, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	var statuses statusCounts
	for _, host := range apps {
		hammer(stop, &group, n.Addr, host, 32, &statuses)
	}
	time.Sleep(time.Second)
	times, err := visits(n.Addr, neighbour, 2*span)
	cancel()
	group.Wait()
	if err != nil {
		return err
	}
	fmt.Println("| beside | p50 | p99 | max | p99 ratio |\n|---|---:|---:|---:|---:|")
	for _, row := range []struct {
		name  string
		times []time.Duration
	}{{"nothing", quiet}, {"512 calls that fill", times}} {
		fmt.Printf("| %s | %.2f ms | %.2f ms | %.2f ms | %.1f |\n", row.name, ms(at(row.times, 50)), ms(at(row.times, 99)), ms(row.times[len(row.times)-1]), float64(at(row.times, 99))/float64(at(quiet, 99)))
	}
	fmt.Printf("\nThe node had at most %d MiB resident; the calls ended with %s.\n", n.memoryPeak()>>20, &statuses)
	return nil
}

var spent atomic.Uint64

// spinForEver is the busy process.
func spinForEver() {
	for {
		spent.Add(1)
	}
}
