package door

import (
	"sync/atomic"
	"time"
)

// overhead is what a connection of HTTP/2 has sent beside requests and their bodies: settings,
// pings, priorities, windows, empty frames, all of which net/http reads and obeys without a
// limit. What a request or a response needs of them is allowed with it.
type overhead struct {
	bytes atomic.Int64
	at    atomic.Int64 // a time.Duration since the door's epoch, when bytes was last lowered by time
}

const (
	maxChat        = 1 << 20        // bytes
	chatRate       = 4 << 10        // a second
	chatOfRequest  = maxHeaderBytes // for each request
	chatOfBody     = 2              // for each byte of a body
	chatOfResponse = 16             // bytes of a response for each byte of its windows
)

// add counts n bytes that came, and reports whether the connection may go on.
func (o *overhead) add(n int64, now time.Duration) bool {
	if o.bytes.Add(n) <= maxChat {
		return true
	}
	// Most connections never get here, so time is looked at here alone.
	last := o.at.Swap(int64(now))
	o.allow(int64((now - time.Duration(last)) * chatRate / time.Second))
	return o.bytes.Load() <= maxChat
}

// allow takes n bytes off the count; what is left of them is lost.
func (o *overhead) allow(n int64) {
	for {
		now := o.bytes.Load()
		if n <= 0 || now <= 0 || o.bytes.CompareAndSwap(now, max(0, now-n)) {
			return
		}
	}
}
