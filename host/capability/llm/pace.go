package llm

import (
	"context"
	"sync"
	"time"
)

// maxAtOnce is how many calls of one app run at once, streams that are open included.
const maxAtOnce = 16

// pace is how fast one app may ask. It outlives a change of grants.
type pace struct {
	slots chan struct{}
	mu    sync.Mutex
	saved float64 // calls that may be made now, guarded by mu
	at    time.Time
}

func (l *LLM) paceOf(app string) *pace {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.paces[app]
	if p == nil {
		p = &pace{slots: make(chan struct{}, maxAtOnce)}
		l.paces[app] = p
	}
	return p
}

// allows takes one call from a bucket that holds a minute's calls and fills evenly.
func (p *pace) allows(perMinute int64, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	full := float64(perMinute)
	if p.at.IsZero() {
		p.saved = full
	} else if since := now.Sub(p.at); since > 0 {
		p.saved += since.Minutes() * full
	}
	p.saved, p.at = min(p.saved, full), now
	if p.saved < 1 {
		return false
	}
	p.saved--
	return true
}

// enter waits for a place, within the context's time.
func (p *pace) enter(ctx context.Context) bool {
	select {
	case p.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *pace) leave() { <-p.slots }
