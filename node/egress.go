package node

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/capability/fetch"
	"github.com/agora-host/agora/host/capability/llm"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/store/logstore"
)

// networks reads the networks that a flag names.
func networks(flag string, texts []string) ([]netip.Prefix, error) {
	all := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil || p != p.Masked() {
			return nil, fmt.Errorf("network %q for %s: write an address that ends in zeros and a length, such as 10.20.0.0/16, or 10.20.0.1/32 for one machine", text, flag)
		}
		all = append(all, p)
	}
	return all, nil
}

// told remembers what owners were told, so that an app in a loop does not fill
// its own log.
type told struct {
	mu   sync.Mutex
	when map[[3]string]time.Time // by app, code and subject; guarded by mu
}

const (
	tellAgain = time.Minute
	maxTold   = 4096
)

// first tells whether this was not said within the last minute.
func (t *told) first(app string, f abi.Finding, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := [3]string{app, f.Code, f.Subject}
	if before, ok := t.when[key]; ok && now.Sub(before) < tellAgain {
		return false
	}
	if t.when == nil || len(t.when) >= maxTold {
		t.when = map[[3]string]time.Time{}
	}
	t.when[key] = now
	return true
}

// tell writes into an app's log what its owner can do something about.
func (h *Node) tell(app string, release int, f abi.Finding) {
	if !h.told.first(app, f, h.o.Now()) {
		return
	}
	lines := append([]string{f.Message + " " + f.Remedy.Summary}, f.Remedy.Commands...)
	h.append(logstore.Line{App: app, Release: release, Level: "warn", Source: logstore.SourceNode, Message: strings.Join(lines, "\n")})
}

func (h *Node) tellFetch(_ context.Context, app fetch.App, f abi.Finding) {
	h.tell(app.Name, app.Release, f)
}

func (h *Node) tellLLM(_ context.Context, app llm.App, f abi.Finding) {
	h.tell(app.Name, app.Release, f)
}

// openModels reads Options.LLM.
func (o Options) openModels() (*llm.Config, error) {
	if o.LLM == "" {
		return nil, nil
	}
	return llm.Load(o.LLM, registry.Classifications())
}
