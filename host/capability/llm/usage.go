package llm

import (
	"context"
	"encoding/json"
	"math"

	"github.com/agora-host/agora/abi"
)

// counts are the tokens of one call.
type counts struct {
	prompt  int64 // that were not cached
	cached  int64
	answer  int64 // reasoning included
	thought int64 // of the response, what was reasoning, if the provider says so
	guessed int64 // of prompt, cached and response, what the node estimated
}

// bounds are what a count can be at most.
type bounds struct{ prompt, answer int64 }

// overhead is how many tokens a request may have that its bytes do not show:
// what the provider's template puts around messages and tools.
const overhead = 256

// slack is how far a provider may count beyond the most tokens that were asked for.
const slack = 16

// tokenBytes is how many bytes a token of a response has at most, on the average: a count below that
// is less than what was produced.
const tokenBytes = 16

// bound a request of so many bytes of JSON. A token is at least one byte.
func bound(request []byte, maxTokens int64) bounds {
	return bounds{int64(len(request)) + overhead, maxTokens + slack}
}

// usage is what a provider counted. OpenAI counts reasoning as part of the completion; xAI and
// Gemini count it apart, where only the total, or completion_tokens_details, has it.
type usage struct {
	Prompt    count `json:"prompt_tokens"`
	Answer    count `json:"completion_tokens"`
	Total     count `json:"total_tokens"`
	Hits      count `json:"prompt_cache_hit_tokens"` // DeepSeek
	Cached    count `json:"cached_tokens"`           // Moonshot
	Reasoning count `json:"reasoning_tokens"`        // Perplexity
	Details   struct {
		Cached count `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
	Answered struct {
		Reasoning count `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
}

// count is a number of tokens: 0 if it is absent, and absurd if it is anything but a number that can
// be one.
type count int64

const (
	absurd   count = -1
	maxCount       = 1 << 40
)

// UnmarshalJSON never fails: an absurd count must not be the end of a response.
func (c *count) UnmarshalJSON(b []byte) error {
	var f float64
	switch err := json.Unmarshal(b, &f); {
	case string(b) == "null":
	case err != nil, f < 0, f > maxCount, f != math.Trunc(f):
		*c = absurd
	default:
		*c = count(f)
	}
	return nil
}

// readUsage returns nil for what is no usage, or one that counts nothing yet.
func readUsage(v json.RawMessage) *usage {
	var u usage
	if !is(v) || v[0] != '{' || !loosely(v, &u) || u == (usage{}) {
		return nil
	}
	return &u
}

// estimate tokens from bytes: four to one, as in English; rounded up.
func estimate(bytes int64) int64 { return (bytes + 3) / 4 }

// estimatePrompt estimates a request: its texts and tools, and four tokens around
// each message.
func estimatePrompt(q *abi.ChatRequest) int64 {
	var bytes int64
	for _, m := range q.Messages {
		if bytes += 16 + int64(len(m.Reasoning)); m.Content != nil {
			bytes += int64(len(*m.Content))
		}
		bytes += callBytes(m.ToolCalls)
	}
	for _, t := range q.Tools {
		bytes += int64(len(t.Function))
	}
	return estimate(bytes + int64(len(q.ResponseFormat)))
}

func callBytes(calls []abi.ChatToolCall) (n int64) {
	for _, c := range calls {
		n += int64(len(c.Function.Name) + len(c.Function.Arguments))
	}
	return n
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
			n += callBytes(a.ToolCalls)
		}
	}
	return n
}

// settled is what a call used: what the provider reports, if that can be; else an
// estimate of the prompt, and of what was seen of the response.
func settled(u *usage, b bounds, prompt, seen int64) counts {
	if c, ok := u.counts(b, seen); ok {
		return c
	}
	c := counts{prompt: min(prompt, b.prompt), answer: min(estimate(seen), b.answer)}
	if u != nil && int64(u.Answer) <= b.answer {
		c.answer = max(c.answer, int64(u.Answer)) // what can be of it is not made less
	}
	c.guessed = c.prompt + c.answer
	return c
}

// counts reads a usage, and reports whether it can be.
func (u *usage) counts(b bounds, seen int64) (counts, bool) {
	if u == nil || u.absurd() {
		return counts{}, false
	}
	c := counts{cached: int64(max(u.Details.Cached, u.Hits, u.Cached))}
	c.prompt = int64(u.Prompt) - c.cached
	c.answer, c.thought = u.answered()
	if over := c.answer - b.answer; over > 0 && c.thought == u.thought() && over <= c.thought && c.thought < maxThought {
		// It reasoned beyond the limit and says so. More than was reserved is not taken.
		c.answer, c.thought = b.answer, c.thought-over
		c.guessed = c.answer
	}
	ok := u.Prompt > 0 && int64(u.Prompt) <= b.prompt && c.prompt >= 0 && c.answer <= b.answer && c.answer*tokenBytes >= seen
	return c, ok
}

// maxThought is how many tokens of reasoning are believed at all.
const maxThought = 1 << 18

func (u *usage) absurd() bool {
	return min(u.Prompt, u.Answer, u.Total, u.Hits, u.Cached, u.Reasoning, u.Details.Cached, u.Answered.Reasoning) < 0
}

func (u *usage) thought() int64 { return int64(max(u.Reasoning, u.Answered.Reasoning)) }

// answered is the tokens of the response, and those of its reasoning among them. Whatever the total
// has beyond prompt and completion is reasoning that is counted apart; so is reasoning that is
// more than the completion which should include it.
func (u *usage) answered() (answer, thought int64) {
	answer, thought = int64(u.Answer), u.thought()
	switch apart := int64(u.Total - u.Prompt); {
	case apart > answer:
		thought = max(thought, apart-answer)
		answer = max(apart, thought)
	case thought > answer:
		answer += thought
	}
	return answer, thought
}

// usage is how the app is told.
func (c counts) usage() *abi.ChatUsage {
	u := &abi.ChatUsage{
		Prompt: c.prompt + c.cached, Answer: c.answer, Total: c.prompt + c.cached + c.answer, Estimated: c.guessed,
		Details: &abi.ChatUsageDetails{Cached: c.cached},
	}
	if c.thought > 0 {
		u.Answered = &abi.ChatAnswerDetails{Reasoning: c.thought}
	}
	return u
}

func (c counts) note(ctx context.Context, model string) {
	for meter, n := range map[string]int64{abi.MeterInputTokens: c.prompt, abi.MeterCachedInputTokens: c.cached, abi.MeterOutputTokens: c.answer, abi.MeterEstimatedTokens: c.guessed} {
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
