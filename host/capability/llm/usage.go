package llm

import (
	"context"
	"math"

	"github.com/agora-host/agora/abi"
)

// counts are the tokens of one call.
type counts struct {
	prompt  int64 // that were not cached
	cached  int64
	answer  int64
	guessed int64 // of all of these, what the node estimated
}

// bounds are what a count can be at most.
type bounds struct{ prompt, answer int64 }

// overhead is how many tokens a request may have that its bytes do not show:
// what the provider's template puts around messages and tools.
const overhead = 256

// slack is how far a provider may count beyond the most tokens that were asked for.
const slack = 16

// bound a request of so many bytes of JSON. A token is at least one byte.
func bound(request []byte, maxTokens int64) bounds {
	return bounds{int64(len(request)) + overhead, maxTokens + slack}
}

// estimate tokens from bytes: four to one, as in English; rounded up.
func estimate(bytes int64) int64 { return (bytes + 3) / 4 }

// estimatePrompt estimates a request: its texts and tools, and four tokens around
// each message.
func estimatePrompt(q *abi.ChatRequest) int64 {
	var bytes int64
	for _, m := range q.Messages {
		if bytes += 16; m.Content != nil {
			bytes += int64(len(*m.Content))
		}
		for _, c := range m.ToolCalls {
			bytes += int64(len(c.Function.Name) + len(c.Function.Arguments))
		}
	}
	for _, t := range q.Tools {
		bytes += int64(len(t.Function))
	}
	return estimate(bytes + int64(len(q.ResponseFormat)))
}

// answerBytes is how much a model said.
func answerBytes(choices []abi.ChatChoice) (n int64) {
	add := func(s *string) {
		if s != nil {
			n += int64(len(*s))
		}
	}
	for _, c := range choices {
		for _, a := range []*abi.ChatAnswer{c.Message, c.Delta} {
			if a == nil {
				continue
			}
			add(a.Content)
			add(a.Refusal)
			add(a.Reasoning)
			for _, t := range a.ToolCalls {
				n += int64(len(t.Function.Name) + len(t.Function.Arguments))
			}
		}
	}
	return n
}

// settled is what a call used: what the provider reports, if that can be; else an
// estimate of the prompt, and of what was seen of the answer.
func settled(reported *abi.ChatUsage, b bounds, prompt, seen int64) counts {
	if possible(reported, b, seen) {
		c := counts{prompt: reported.Prompt, answer: reported.Answer}
		if reported.Details != nil {
			c.cached = reported.Details.Cached
			c.prompt -= c.cached
		}
		return c
	}
	c := counts{prompt: min(prompt, b.prompt), answer: min(estimate(seen), b.answer)}
	c.guessed = c.prompt + c.answer
	return c
}

func possible(u *abi.ChatUsage, b bounds, seen int64) bool {
	if u == nil || u.Prompt <= 0 || u.Prompt > b.prompt || u.Answer < 0 || u.Answer > b.answer || u.Answer == 0 && seen > 0 {
		return false
	}
	return u.Details == nil || u.Details.Cached >= 0 && u.Details.Cached <= u.Prompt
}

// usage is how the app is told.
func (c counts) usage() *abi.ChatUsage {
	return &abi.ChatUsage{
		Prompt: c.prompt + c.cached, Answer: c.answer, Total: c.prompt + c.cached + c.answer,
		Details: &abi.ChatUsageDetails{Cached: c.cached},
	}
}

func (c counts) note(ctx context.Context, model string) {
	for meter, n := range map[string]int64{abi.MeterPrompt: c.prompt, abi.MeterCached: c.cached, abi.MeterAnswer: c.answer, abi.MeterGuessed: c.guessed} {
		abi.Note(ctx, abi.Use{Capability: "llm", Meter: meter, Subject: model, N: uint64(n)})
	}
}

// cost of a call, in millionths of a millionth of the currency.
func (p price) cost(c counts) int64 {
	return plus(plus(times(p.prompt, c.prompt), times(p.cached, c.cached)), times(p.answer, c.answer))
}

// atMost is what a call can cost.
func (p price) atMost(b bounds) int64 {
	return plus(times(max(p.prompt, p.cached), b.prompt), times(p.answer, b.answer))
}

// times and plus stop at the largest number: nothing that is not negative wraps.
func times(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64/b {
		return math.MaxInt64
	}
	return a * b
}

func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
