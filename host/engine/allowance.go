package engine

import "time"

// A guest is granted fuel in slices, so that it looks at the clock, lets others run and lets
// Go's collector stop it each sliceTime or so. How much it runs in that time differs a
// hundredfold between loops in registers and loads that miss the caches.
const (
	sliceTime  = 100 * time.Microsecond
	firstSlice = 50_000
	leastSlice = 2_000
	mostSlice  = 200_000
)

// allowance is the fuel of one invocation: what it may use, was granted, and has used.
type allowance struct {
	request  uint64    // what the request may use
	starting uint64    // what start-up may use, while it runs; 0: the request's limit holds
	spent    uint64    // before the guest's own counting: InitCost
	granted  uint64    // never more than the limit allows
	slice    uint64    // granted at a time
	sliced   time.Time // when the last slice was granted
}

// limit returns how many units the guest may use by now.
func (a *allowance) limit() uint64 {
	if a.starting > 0 {
		return a.starting
	}
	return a.request
}

// used is what a guest with so much left has spent.
func (a *allowance) used(left int64) uint64 {
	return a.spent + uint64(int64(a.granted)-left)
}

// adapt makes the next slice as large as what would have taken sliceTime. The last one took from
// sliced to now, host calls included, which make it smaller and do no harm.
func (a *allowance) adapt(now time.Time) {
	took := max(now.Sub(a.sliced), time.Microsecond)
	a.slice = min(max(a.slice*uint64(sliceTime)/uint64(took), a.slice/4, leastSlice), 2*a.slice, mostSlice)
}

// grant gives a guest that lacks fuel the next slice, of at most so many units and what it lacks, and
// returns what it has then. It has not used more than its limit.
func (a *allowance) grant(left int64, most uint64) int64 {
	rest := a.limit() - a.spent - a.granted
	grant := min(rest, uint64(-left)+min(a.slice, most))
	a.granted += grant
	return left + int64(grant)
}

// ends has the request's limit hold from now on, and returns what a guest with so much left has then:
// what it was granted beyond that is taken back. It has not used more than that.
func (a *allowance) ends(left int64) int64 {
	a.starting = 0
	if granted := a.spent + a.granted; granted > a.limit() {
		over := granted - a.limit()
		a.granted -= over
		left -= int64(over)
	}
	return left
}

// begin has counting begin anew, for the request alone.
func (a *allowance) begin() { a.starting, a.spent, a.granted = 0, 0, 0 }
