package llm_test

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/agora-host/agora/abi"
)

// TestSpendingIsConserved: whatever calls do, at the same time, to their end or
// not, what the app's day has spent is what its notes cost, and never more than its
// limit.
func TestSpendingIsConserved(t *testing.T) {
	n := newNode(t)
	models := strings.Fields("plain say 429 500 400 html no-choices broken no-usage lies-high lies-answer lies-cached breaks ends-early errs garbage no-done stalls")
	link := n.bind("a", strings.Join(models, " "), "daily_cents", "1", "per_minute", "100000", "max_calls", "1000")
	var wg sync.WaitGroup
	var mu sync.Mutex
	noted := map[string]uint64{} // by meter
	refused := 0
	for seed := range uint64(8) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, 1))
			for range 12 {
				over := someInvocation(n.invoke(link), models, r, func(u abi.Use) {
					mu.Lock()
					defer mu.Unlock()
					noted[u.Meter] += u.N
				})
				mu.Lock()
				refused += over
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	const cent = 10_000_000_000
	cost := int64(noted[abi.MeterInputTokens]*1_000_000 + noted[abi.MeterCachedInputTokens]*500_000 + noted[abi.MeterOutputTokens]*10_000_000)
	if got := n.ledger.today("a"); got != cost || n.ledger.most > cent {
		t.Errorf("spent %d, the notes cost %d, and %d were reserved at once", got, cost, n.ledger.most)
	}
	if noted[abi.MeterOutputTokens] == 0 || refused == 0 {
		t.Errorf("noted %v and %d refused: this test tries too little", noted, refused)
	}
}

// someInvocation does a few things at random, and returns how often it was over
// its budget.
func someInvocation(i *invocation, models []string, r *rand.Rand, noted func(abi.Use)) (over int) {
	var open, speaking [][]byte
	for range 1 + r.IntN(6) {
		model := models[r.IntN(len(models))]
		errno := abi.ErrnoOK
		switch r.IntN(3) {
		case 0:
			if model != "stalls" {
				_, errno = i.chat(ask(model))
			}
		case 1:
			var handle []byte
			if handle, errno = i.open(model); errno == 0 {
				open = append(open, handle)
				if model != "stalls" {
					speaking = append(speaking, handle)
				}
			}
		case 2:
			if len(speaking) > 0 {
				_, _ = i.link[abi.LLMNext](i.ctx, speaking[r.IntN(len(speaking))])
			}
		}
		if errno == abi.ErrnoQuota {
			over++
		}
	}
	for _, handle := range open {
		if r.IntN(2) == 0 {
			_, _ = i.link[abi.LLMClose](i.ctx, handle)
		}
	}
	i.rec.End()
	for _, u := range i.rec.Uses() {
		noted(u)
	}
	return over
}
