package engine

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestAllowance: however a guest works and asks, it is never granted more than its limit, and what
// it has used is neither lost nor changed by a grant, nor where its start-up ends within the request.
func TestAllowance(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	for range 200 {
		a := allowance{request: 1 + r.Uint64N(1<<20), slice: firstSlice}
		a.starting = a.request * (1 + r.Uint64N(10))
		a.spent = r.Uint64N(a.request)
		left, worked := int64(0), a.spent
		check := func(after string) {
			if a.used(left) != worked {
				t.Fatalf("seed %d: after %s %d units are used, and %d were worked", seed, after, a.used(left), worked)
			}
			if a.spent+a.granted > a.limit() {
				t.Fatalf("seed %d: after %s %d are granted of %d", seed, after, a.spent+a.granted, a.limit())
			}
		}
		work := func(until uint64) {
			for range r.IntN(50) {
				n := min(1+r.Uint64N(2*firstSlice), until-worked)
				if left, worked = left-int64(n), worked+n; left < 0 {
					a.adapt(a.sliced.Add(time.Duration(r.IntN(int(10 * sliceTime)))))
					left = a.grant(left, 1+r.Uint64N(mostSlice))
					check("a grant")
				}
				if left < 0 {
					t.Fatalf("seed %d: a guest that is within its limit lacks %d units", seed, -left)
				}
			}
		}
		work(a.request)
		left = a.ends(left)
		check("start-up")
		work(a.limit())
	}
}

// TestHostTime: calls one after another add up, and the one that runs has what is left.
func TestHostTime(t *testing.T) {
	begin := time.Now()
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	h := hostTime{most: 10 * time.Second}
	h.since = at(0)
	h.stop(at(4))
	h.stop(at(9)) // none runs
	h.since = at(20)
	if got := h.total(at(22)); got != 6*time.Second || h.over() {
		t.Errorf("%s by now, over: %v", got, h.over())
	}
	if until := h.until(at(60)); !until.Equal(at(26)) {
		t.Errorf("it has to end at %s, and begins at %s", until, at(20))
	}
	if until := h.until(at(21)); !until.Equal(at(21)) {
		t.Errorf("it may last beyond the deadline, until %s", until)
	}
	h.stop(at(26))
	if got := h.total(at(90)); got != 10*time.Second || !h.over() {
		t.Errorf("%s in all, over: %v", got, h.over())
	}
	h.most = 0
	if h.over() || !h.until(at(99)).Equal(at(99)) {
		t.Error("without a budget it is over")
	}
}
