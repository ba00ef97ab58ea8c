package node

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
)

// disk keeps what apps write. Its own quota is what a write is given, as that of the apps' stores is.
type disk struct {
	measuring sync.Mutex

	mu    sync.Mutex
	sizes map[string]map[string]int64 // by app and key
	most  map[control.Holder]int64    // that was kept at any time
}

var ofApp = map[string][]control.Holder{
	"a": {{Per: "person", Of: "ada"}, {Per: "group", Of: "g"}, {Per: "node"}},
	"b": {{Per: "person", Of: "ada"}, {Per: "node"}},
	"c": {{Per: "person", Of: "bob"}, {Per: "group", Of: "g"}, {Per: "node"}},
}

func newDisk() *disk {
	return &disk{sizes: map[string]map[string]int64{"a": {}, "b": {}, "c": {}}, most: map[control.Holder]int64{}}
}

func sizeOf(keys map[string]int64) (n int64) {
	for _, size := range keys {
		n += size
	}
	return n
}

func (d *disk) used(app string) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return sizeOf(d.sizes[app])
}

// sums are what is kept. The lock is held.
func (d *disk) sums() map[control.Holder]int64 {
	sums := map[control.Holder]int64{}
	for app, keys := range d.sizes {
		for _, h := range ofApp[app] {
			sums[h] += sizeOf(keys)
		}
	}
	return sums
}

func (d *disk) put(app, key string, size int64, quota abi.KVQuota) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	grows := size - d.sizes[app][key]
	if grows > 0 && sizeOf(d.sizes[app])+grows > quota.Bytes {
		return abi.ErrnoQuota
	}
	if err := quota.Grows(grows); err != nil {
		return err
	}
	d.sizes[app][key] = size
	for h, n := range d.sums() {
		d.most[h] = max(d.most[h], n)
	}
	return nil
}

func (d *disk) delete(app, key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sizes[app], key)
}

// measure measures as the node does: one app after another, while they write, and once at a time.
func (d *disk) measure(s *rooms, limits map[control.Holder]int64) {
	d.measuring.Lock()
	defer d.measuring.Unlock()
	s.begin()
	sums := map[control.Holder]int64{}
	for app, holders := range ofApp {
		n := d.used(app)
		runtime.Gosched()
		for _, h := range holders {
			sums[h] += n
		}
	}
	bounds, of := map[control.Holder]*control.Bound{}, map[string][]*control.Bound{}
	for h, limit := range limits {
		bounds[h] = &control.Bound{Holder: h, Quota: h.Per, Left: limit - sums[h]}
	}
	for app, holders := range ofApp {
		for _, h := range holders {
			if bounds[h] != nil {
				of[app] = append(of[app], bounds[h])
			}
		}
	}
	s.set(of)
}

func (d *disk) write(s *rooms, app, key string, size, own int64) error {
	return s.write(app, size, func(grow *abi.Growth) error {
		for range size { // others read, measure and write meanwhile
			runtime.Gosched()
		}
		return d.put(app, key, size, abi.KVQuota{Bytes: own, Grow: grow})
	})
}

func drawLimits(rt *rapid.T) map[control.Holder]int64 {
	limits := map[control.Holder]int64{}
	for _, h := range []control.Holder{{Per: "person", Of: "ada"}, {Per: "person", Of: "bob"}, {Per: "group", Of: "g"}, {Per: "node"}} {
		if rapid.Bool().Draw(rt, "bounded "+h.Per+h.Of) {
			limits[h] = rapid.Int64Range(0, 40).Draw(rt, "limit of "+h.Per+h.Of)
		}
	}
	return limits
}

// TestRoomsOneByOne: of writes that come one by one, each is taken that makes no sum larger than it may be, if
// it was measured before, and none is that does; what becomes smaller always is. The refusal names a sum that
// has too little room.
func TestRoomsOneByOne(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, d, limits := &rooms{}, newDisk(), drawLimits(rt)
		d.measure(s, limits)
		fresh, own := true, int64(25)
		app, key := rapid.SampledFrom([]string{"a", "b", "c"}), rapid.SampledFrom([]string{"k", "l", "m"})
		rt.Repeat(map[string]func(*rapid.T){
			"measure": func(*rapid.T) { d.measure(s, limits); fresh = true },
			"delete":  func(rt *rapid.T) { d.delete(app.Draw(rt, "app"), key.Draw(rt, "key")); fresh = false },
			"write": func(rt *rapid.T) {
				app, key, size := app.Draw(rt, "app"), key.Draw(rt, "key"), rapid.Int64Range(0, 20).Draw(rt, "size")
				grows, sums := size-d.sizes[app][key], d.sums()
				var full []string
				for _, h := range ofApp[app] {
					if limit, ok := limits[h]; ok && grows > 0 && sums[h]+grows > limit {
						full = append(full, h.Per)
					}
				}
				has := d.used(app)+grows <= own || grows <= 0
				err := d.write(s, app, key, size, own)
				sum, is := errors.AsType[*abi.SumError](err)
				switch {
				case err != nil && !errors.Is(err, abi.ErrnoQuota):
					rt.Fatal(err)
				case err == nil && (len(full) > 0 || !has):
					rt.Fatalf("%s takes %d more: %v, limits %v", app, grows, sums, limits)
				case err != nil && has && len(full) == 0 && (fresh || grows <= 0):
					rt.Fatalf("%s does not take %d more: %v; %v, limits %v", app, grows, err, sums, limits)
				case is && fresh && has && !slices.Contains(full, sum.Per):
					rt.Fatalf("%q is said to be used up; %v are", sum.Per, full)
				}
				fresh = fresh && (err != nil || grows >= 0) // what became smaller is room once it is measured
			},
		})
	})
}

// TestRoomsAtOnce: no sum is ever more than it may be, however many write, delete and measure at once; and in
// the end, when all is quiet and measured, what is left can be used to the byte.
func TestRoomsAtOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, d, limits := &rooms{}, newDisk(), drawLimits(rt)
		seed := rapid.Uint64().Draw(rt, "seed")
		d.measure(s, limits)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(i)))
				for range 60 {
					app, key, size := string("abc"[r.IntN(3)]), string("klm"[r.IntN(3)]), r.Int64N(20)
					switch r.IntN(6) {
					case 0:
						d.delete(app, key)
					case 1:
						d.measure(s, limits)
					default:
						if err := d.write(s, app, key, size, 1000); err != nil && !errors.Is(err, abi.ErrnoQuota) {
							panic(err)
						}
					}
				}
			})
		}
		wg.Wait()
		for h, n := range d.most {
			if limit, ok := limits[h]; ok && n > limit {
				rt.Fatalf("%v kept %d of %d", h, n, limit)
			}
		}
		d.measure(s, limits)
		sums := d.sums()
		app, left := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "last"), int64(100)
		for _, h := range ofApp[app] {
			if limit, ok := limits[h]; ok {
				left = min(left, limit-sums[h])
			}
		}
		if err := d.write(s, app, "last", left, 10_000); err != nil {
			rt.Fatalf("%s: %d are left: %v", app, left, err)
		}
		if err := d.write(s, app, "more", 1, 10_000); left < 100 && err == nil {
			rt.Fatalf("%s keeps more than %d", app, left)
		}
	})
}

// TestRoomsAreWaitedFor: while one write has all that is left, another waits, and gets what that one gives back.
func TestRoomsAreWaitedFor(t *testing.T) {
	s, d := &rooms{}, newDisk()
	d.measure(s, map[control.Holder]int64{{Per: "node"}: 4})
	other := make(chan error, 1)
	err := s.write("a", 6, func(*abi.Growth) error {
		go func() { other <- d.write(s, "b", "k", 4, 100) }()
		select {
		case err := <-other:
			t.Errorf("it does not wait: %v", err)
			other <- err
		case <-time.After(20 * time.Millisecond):
		}
		return abi.ErrnoConflict
	})
	if !errors.Is(err, abi.ErrnoConflict) {
		t.Fatal(err)
	}
	if err := <-other; err != nil {
		t.Error(err)
	}
}

// TestRoomsOutliveAPanic: what a write took that panicked is not taken for ever.
func TestRoomsOutliveAPanic(t *testing.T) {
	s, d := &rooms{}, newDisk()
	limits := map[control.Holder]int64{{Per: "node"}: 4}
	d.measure(s, limits)
	for _, n := range []int64{4, 6} { // at once, and with all that is left
		func() {
			defer func() { _ = recover() }()
			_ = s.write("a", n, func(*abi.Growth) error { panic("the disk is on fire") })
		}()
		d.measure(s, limits)
	}
	if err := d.write(s, "b", "k", 4, 100); err != nil {
		t.Error(err)
	}
}
