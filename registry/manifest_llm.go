package registry

import (
	"fmt"
	"strings"
)

// What asking models may be if the manifest does not say.
const (
	defaultLLMCalls     = 4
	defaultLLMTokens    = 1000
	defaultLLMPerMinute = 30
	defaultLLMCents     = 100
)

// checkLLM checks the form of what an app wants to ask. Which models there are
// differs from node to node, and is said when one is asked.
func (e *ManifestError) checkLLM(ask CapabilityAsk) {
	if len(ask.Models) == 0 {
		e.add("capabilities.llm.models", "llm says not which models the app asks", "List them, by the node's names for them.", `models = ["small"]`)
	}
	for _, name := range ask.Models {
		if name == "" || len(name) > 64 || strings.ContainsAny(name, " \t\r\n") || plainText(name, 64) != nil {
			e.add("capabilities.llm.models", fmt.Sprintf("%q is no model's name", clip(name, 40)), "Use the node's name for it.", `models = ["small"]`)
		}
	}
	if ask.MaxCalls < 0 || ask.MaxTokens < 0 || ask.PerMinute < 0 || ask.DailyCents < 0 {
		e.add("capabilities.llm", "a limit of llm cannot be negative", "Leave it out for the default.")
	}
}

// withLLMDefaults fills in what the manifest does not say.
func withLLMDefaults(ask CapabilityAsk) CapabilityAsk {
	orDefault(&ask.MaxCalls, defaultLLMCalls)
	orDefault(&ask.MaxTokens, defaultLLMTokens)
	orDefault(&ask.PerMinute, defaultLLMPerMinute)
	orDefault(&ask.DailyCents, defaultLLMCents)
	return ask
}
