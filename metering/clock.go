package metering

import "time"

// clock is the wall clock as it was once, and what the monotonic clock has
// counted since. A wall clock that is set does not move it.
type clock struct {
	base    time.Time
	since   time.Duration
	elapsed func() time.Duration
}

func newClock(now time.Time, elapsed func() time.Duration) clock {
	return clock{base: now.UTC().Round(0), since: elapsed(), elapsed: elapsed}
}

func (c clock) now() time.Time { return c.base.Add(c.elapsed() - c.since) }

// skew is how far the wall clock has gone ahead of this one.
func (c clock) skew(now time.Time) time.Duration { return now.UTC().Round(0).Sub(c.now()) }

// maxSkew is how far the wall clock may be away before the journal follows it,
// which it does with a new epoch.
const maxSkew = time.Minute
