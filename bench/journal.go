package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/journal"
	"github.com/agora-host/agora/metering/meteringtest"
)

const (
	concurrent = 64
	nodeID     = "000102030405060708090a0b0c0d0e0f"
)

// benchJournal measures what it costs that calls outlive a kill, and the loss of
// power: alone, and within a node.
func benchJournal(ctx context.Context, span time.Duration) error {
	fmt.Printf("\nJournal: %d callers at once, %s for each line\n\n", concurrent, span)
	fmt.Println("| durability | records/s | CPU for each | p50 | p99 |")
	fmt.Println("|---|---:|---:|---:|---:|")
	for _, d := range []metering.Durability{metering.DurabilityProcess, metering.DurabilityPower} {
		for _, callers := range []int{1, concurrent} {
			if err := recordAlone(ctx, d, callers, span); err != nil {
				return err
			}
		}
	}
	return recordInNode(ctx, span)
}

func openMeter(ctx context.Context, dir string) (*metering.Meter, error) {
	disk, err := journal.Disk(dir)
	if err != nil {
		return nil, err
	}
	return metering.Open(ctx, metering.Options{FS: disk, Node: nodeID, Store: &meteringtest.Memory{}, Log: slog.New(slog.DiscardHandler)})
}

func invocation(i int) *metering.Invocation {
	return &metering.Invocation{
		ID:     fmt.Sprintf("%024x", i),
		Tags:   metering.Tags{App: "shop", Release: 3, Tier: "production", CostCenter: "CC-1001", Team: "sales", Owner: owner, Environment: "production", Trigger: "http"},
		Counts: metering.Counts{Instructions: 66_724, GuestMicros: 12, MemoryKiBMS: 200, BytesIn: 100, BytesOut: 4000},
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// recordAlone records as fast as the journal takes it.
func recordAlone(ctx context.Context, d metering.Durability, callers int, span time.Duration) error {
	dir, err := os.MkdirTemp("", "agora-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m, err := openMeter(ctx, dir)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var times []time.Duration
	var failed error
	var wg sync.WaitGroup
	before, end := cpu(), time.Now().Add(span)
	for i := range callers {
		wg.Go(func() {
			v := invocation(i)
			v.Durability = d
			mine := make([]time.Duration, 0, 1<<16)
			for started := time.Now(); started.Before(end); {
				err := m.Record(v)
				now := time.Now()
				mine = append(mine, now.Sub(started))
				if started = now; err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
					return
				}
			}
			mu.Lock()
			times = append(times, mine...)
			mu.Unlock()
		})
	}
	wg.Wait()
	spent := cpu() - before
	slices.Sort(times)
	fmt.Printf("| %s, %d at once | %.0f | %.2f µs | %.3f ms | %.3f ms |\n", d, callers, float64(len(times))/span.Seconds(),
		float64(spent.Nanoseconds())/1e3/float64(len(times)), millis(times[len(times)/2]), millis(times[len(times)*99/100]))
	return errors.Join(failed, m.Close(ctx))
}

func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// recordInNode asks apps on one node under both promises, in turns: one that does
// next to nothing, and one as people write them.
func recordInNode(ctx context.Context, span time.Duration) error {
	n, err := startNode(ctx)
	if err != nil {
		return err
	}
	defer n.close(ctx)
	dir, err := os.MkdirTemp("", "agora-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	hello, err := goApp("hello", "c-shared", dir)
	if err != nil {
		return err
	}
	fmt.Printf("\nA node, %d connections, %d turns; CPU is the client's too\n\n", concurrent, turns)
	fmt.Println("| app | durability | requests/s | p50 | CPU for each |")
	fmt.Println("|---|---|---:|---:|---:|")
	for name, module := range map[string][]byte{"minimal": minimal(answer), "hello": hello} {
		if err := bothPromises(ctx, n, name, module, span); err != nil {
			return err
		}
	}
	return nil
}

func bothPromises(ctx context.Context, n *benchNode, app string, module []byte, span time.Duration) error {
	classes := []string{"process", "power"}
	rates, p50s, cpus := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
	hosts := map[string][]string{}
	for _, class := range classes {
		for i := range 4 { // one app alone may not serve so many at once
			host, err := n.publish(ctx, fmt.Sprintf("%s-%d-%s", class, i, app), module)
			if err != nil {
				return err
			}
			hosts[class] = append(hosts[class], host)
		}
	}
	for range turns {
		for _, class := range classes {
			if _, err := driveEach(n.Addr().String(), hosts[class], span/20); err != nil {
				return err
			}
			before := cpu()
			m, err := driveEach(n.Addr().String(), hosts[class], span/turns)
			if err != nil {
				return err
			}
			slices.Sort(m.times)
			rates[class] = append(rates[class], m.perSecond)
			p50s[class] = append(p50s[class], millis(m.times[len(m.times)/2]))
			cpus[class] = append(cpus[class], float64((cpu()-before).Nanoseconds())/1e3/float64(len(m.times)))
		}
	}
	var ratios, added []float64
	for i := range rates["power"] {
		ratios = append(ratios, rates["power"][i]/rates["process"][i])
		added = append(added, p50s["power"][i]-p50s["process"][i])
	}
	for _, class := range classes {
		fmt.Printf("| %s | %s | %.0f | %.2f ms | %.1f µs |\n", app, class, median(rates[class]), median(p50s[class]), median(cpus[class]))
	}
	fmt.Printf("| | `power` against `process` | %.2f times, %.2f to %.2f | %+.2f ms | %+.1f µs |\n",
		median(ratios), slices.Min(ratios), slices.Max(ratios), median(added), median(cpus["power"])-median(cpus["process"]))
	return nil
}

// driveEach asks each host over its share of the connections.
func driveEach(addr string, hosts []string, span time.Duration) (all measured, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, host := range hosts {
		wg.Go(func() {
			m, failed := driveOver(concurrent/len(hosts), addr, []string{host}, "/", nil, span)
			mu.Lock()
			defer mu.Unlock()
			all.perSecond, all.times, err = all.perSecond+m.perSecond, append(all.times, m.times...), errors.Join(err, failed)
		})
	}
	wg.Wait()
	return all, err
}

// benchRecover writes journals while the store takes nothing, forgets the process,
// and measures the next start.
func benchRecover(ctx context.Context, bytes int64) error {
	dir, err := os.MkdirTemp("", "agora-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	disk, err := journal.Disk(dir)
	if err != nil {
		return err
	}
	m, err := metering.Open(ctx, metering.Options{FS: unlocked{disk}, Node: nodeID, Store: &away{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	var records int
	for size, flushed := int64(0), int64(0); size < bytes; records++ {
		v := invocation(records)
		v.Durability = metering.DurabilityProcess
		v.App = fmt.Sprint("app-", records%1000)
		if err := m.Record(v); err != nil {
			return err
		}
		if records%10_000 == 0 {
			size = sizeOf(disk)
		}
		if size-flushed >= 64<<20 {
			_ = m.Flush(ctx) // begins the next journal
			flushed = size
		}
	}
	started, before := time.Now(), cpu()
	again, err := metering.Open(ctx, metering.Options{FS: unlocked{disk}, Node: nodeID, Store: &meteringtest.Memory{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	took, spent := time.Since(started), cpu()-before
	r, err := again.Report(ctx, metering.Query{})
	if err != nil || r.Total.Calls != uint64(records) {
		return fmt.Errorf("%d calls were recovered of %d, %w", r.Total.Calls, records, err)
	}
	fmt.Printf("\nRecovery of %d MiB, %d calls of 1000 apps: %.1f s until the node meters again, of which %.1f s on a CPU\n", bytes>>20, records, took.Seconds(), spent.Seconds())
	return again.Close(ctx)
}

func sizeOf(disk journal.FS) (n int64) {
	files, _ := disk.List()
	for _, f := range files {
		n += f.Size
	}
	return n
}

// away is a store that takes no usage.
type away struct{ meteringtest.Memory }

func (a *away) Merge(ctx context.Context, f metering.Flush) error {
	if len(f.Cells) > 0 {
		return errors.New("the store is away")
	}
	return a.Memory.Merge(ctx, f)
}

// unlocked is a directory whose first process was killed, in a process that was
// not.
type unlocked struct{ journal.FS }

func (unlocked) Lock() (io.Closer, error) { return io.NopCloser(nil), nil }
