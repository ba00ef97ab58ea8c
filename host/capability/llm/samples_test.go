package llm_test

import "strings"

// sample is a response in the shape that a provider documents or is known to send: the same one whole
// and as the data of events. The texts are ours; shapes and counts are theirs.
type sample struct {
	name   string
	whole  string
	events []string

	said, thought string
	billed        string // answer, cached, guessed and prompt, as the meters have them
	reasoning     int64  // of the response, as the app is told
}

// textHi is the choices of most samples.
const textHi = `"choices":[{"index":0,"message":{"role":"assistant","content":"Hi."},"finish_reason":"stop"}]`

func textEvents(usage string) []string {
	return []string{
		`{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`,
		`{"choices":[{"index":0,"delta":{"content":"Hi."},"finish_reason":null}]}`,
		`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
		`{"choices":[],"usage":` + usage + `}`,
	}
}

// counted is a response of two words with a usage.
func counted(name, usage, billed string, reasoning int64) sample {
	return sample{name: name, whole: `{` + textHi + `,"usage":` + usage + `}`, events: textEvents(usage), said: "Hi.", billed: billed, reasoning: reasoning}
}

var samples = []sample{
	{
		name: "OpenAI",
		whole: `{"id":"chatcmpl-1","object":"chat.completion","created":1741569952,"model":"gpt-x","choices":[{"index":0,"message":{"role":"assistant","content":"Hi.","refusal":null,"annotations":[],"audio":null,"function_call":null},"logprobs":null,"finish_reason":"stop"}],
			"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":4,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_1"}`,
		events: []string{
			`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-x","service_tier":"default","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"ab"}`,
			`{"choices":[{"index":0,"delta":{"content":"Hi."},"logprobs":null,"finish_reason":null}],"usage":null}`,
			`{"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}`,
			`{"choices":[],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"completion_tokens_details":{"reasoning_tokens":4}}}`,
		},
		said: "Hi.", billed: "input_tokens 19, output_tokens 10", reasoning: 4,
	},
	{
		name:   "OpenAI, a refusal",
		whole:  `{"choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":"I cannot."},"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":4,"total_tokens":23}}`,
		events: []string{`{"choices":[{"index":0,"delta":{"role":"assistant","content":null,"refusal":""}}]}`, `{"choices":[{"index":0,"delta":{"refusal":"I cannot."}}]}`, `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`, `{"choices":[],"usage":{"prompt_tokens":19,"completion_tokens":4,"total_tokens":23}}`},
		billed: "input_tokens 19, output_tokens 4",
	},
	{
		name: "OpenAI, a call of a tool",
		whole: `{"choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":null,"annotations":[],"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"at\":\"Oslo\"}"}}]},"logprobs":null,"finish_reason":"tool_calls"}],
			"usage":{"prompt_tokens":82,"completion_tokens":17,"total_tokens":99}}`,
		events: []string{
			`{"choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"weather","arguments":""}}]}}]}`,
			`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"at\":\"Oslo\"}"}}]}}]}`,
			`{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`, `{"choices":[],"usage":{"prompt_tokens":82,"completion_tokens":17,"total_tokens":99}}`,
		},
		billed: "input_tokens 82, output_tokens 17",
	},
	{
		name: "Azure, with filters and an empty first event",
		whole: `{"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}],"choices":[{"index":0,"content_filter_results":{"hate":{"filtered":false}},"message":{"role":"assistant","content":"Hi.","context":{"citations":[]}},"finish_reason":"stop"}],
			"usage":{"prompt_tokens":33,"completion_tokens":2,"total_tokens":35,"prompt_tokens_details":{"cached_tokens":16}}}`,
		events: append([]string{`{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}`},
			textEvents(`{"prompt_tokens":33,"completion_tokens":2,"total_tokens":35,"prompt_tokens_details":{"cached_tokens":16}}`)...),
		said: "Hi.", billed: "cached_input_tokens 16, input_tokens 17, output_tokens 2",
	},
	{
		name: "DeepSeek, reasoning and its cache",
		whole: `{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi.","reasoning_content":"A greeting."},"logprobs":null,"finish_reason":"stop"}],
			"usage":{"prompt_tokens":20,"completion_tokens":60,"total_tokens":80,"prompt_tokens_details":{"cached_tokens":8},"completion_tokens_details":{"reasoning_tokens":50},"prompt_cache_hit_tokens":8,"prompt_cache_miss_tokens":12}}`,
		events: []string{
			`{"choices":[{"index":0,"delta":{"role":"assistant","content":null,"reasoning_content":""}}]}`, `{"choices":[{"index":0,"delta":{"content":null,"reasoning_content":"A greeting."}}]}`,
			`{"choices":[{"index":0,"delta":{"content":"Hi.","reasoning_content":null}}]}`,
			`{"choices":[{"index":0,"delta":{"content":"","reasoning_content":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":60,"total_tokens":80,"completion_tokens_details":{"reasoning_tokens":50},"prompt_cache_hit_tokens":8,"prompt_cache_miss_tokens":12}}`,
		},
		said: "Hi.", thought: "A greeting.", billed: "cached_input_tokens 8, input_tokens 12, output_tokens 60", reasoning: 50,
	},
	{
		name: "vLLM, its new name for reasoning",
		whole: `{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi.","refusal":null,"annotations":null,"audio":null,"function_call":null,"tool_calls":[],"reasoning":"A greeting."},"logprobs":null,"finish_reason":"stop","stop_reason":null,"token_ids":null}],
			"service_tier":null,"usage":{"prompt_tokens":11,"total_tokens":19,"completion_tokens":8,"prompt_tokens_details":null},"prompt_logprobs":null,"kv_transfer_params":null}`,
		events: []string{
			`{"choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":null}}]}`, `{"choices":[{"index":0,"delta":{"reasoning":"A greeting."}}]}`, `{"choices":[{"index":0,"delta":{"content":"Hi."},"finish_reason":"stop","stop_reason":null}]}`,
			`{"choices":[],"usage":{"prompt_tokens":11,"total_tokens":19,"completion_tokens":8}}`,
		},
		said: "Hi.", thought: "A greeting.", billed: "input_tokens 11, output_tokens 8",
	},
	{
		name: "vLLM, both names",
		whole: `{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi.","reasoning":"A greeting.","reasoning_content":"A greeting."},"finish_reason":"stop"}],
			"usage":{"prompt_tokens":11,"total_tokens":19,"completion_tokens":8}}`,
		events: []string{`{"choices":[{"index":0,"delta":{"reasoning":"A greeting.","reasoning_content":"A greeting."}}]}`, `{"choices":[{"index":0,"delta":{"content":"Hi."},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"total_tokens":19,"completion_tokens":8}}`},
		said:   "Hi.", thought: "A greeting.", billed: "input_tokens 11, output_tokens 8",
	},
	{
		name: "Mistral, parts",
		whole: `{"choices":[{"index":0,"message":{"role":"assistant","tool_calls":null,"prefix":false,"content":[{"type":"thinking","thinking":[{"type":"text","text":"A greet"},{"type":"text","text":"ing."}],"closed":true},{"type":"text","text":"Hi."}]},"finish_reason":"stop"}],
			"usage":{"prompt_tokens":10,"total_tokens":27,"completion_tokens":17,"num_cached_tokens":0}}`,
		events: []string{
			`{"choices":[{"index":0,"delta":{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"A greeting."}]}]},"finish_reason":null}]}`,
			`{"choices":[{"index":0,"delta":{"content":"Hi."},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"total_tokens":27,"completion_tokens":17}}`,
		},
		said: "Hi.", thought: "A greeting.", billed: "input_tokens 10, output_tokens 17",
	},
	{
		name: "Groq, its usage apart",
		whole: `{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi.","reasoning":"A greeting."},"logprobs":null,"finish_reason":"stop"}],
			"usage":{"queue_time":0.03,"prompt_tokens":18,"prompt_time":0.0006,"completion_tokens":12,"completion_time":0.46,"total_tokens":30,"total_time":0.46},"usage_breakdown":null,"system_fingerprint":"fp","x_groq":{"id":"req_1"},"service_tier":"on_demand"}`,
		events: []string{
			`{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"x_groq":{"id":"req_1"}}`, `{"choices":[{"index":0,"delta":{"reasoning":"A greeting."}}]}`, `{"choices":[{"index":0,"delta":{"content":"Hi."}}]}`,
			`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"req_1","usage":{"queue_time":0.03,"prompt_tokens":18,"completion_tokens":12,"total_tokens":30,"total_time":0.46}}}`,
		},
		said: "Hi.", thought: "A greeting.", billed: "input_tokens 18, output_tokens 12",
	},
	{
		name: "OpenRouter, with comments and details",
		whole: `{"id":"gen-1","provider":"Some","model":"some/model","object":"chat.completion","choices":[{"logprobs":null,"finish_reason":"stop","native_finish_reason":"STOP","index":0,"message":{"role":"assistant","content":"Hi.","refusal":null,"reasoning":"A greeting.","reasoning_details":[{"type":"reasoning.text","text":"A greeting.","format":"x","index":0}]}}],
			"usage":{"prompt_tokens":14,"completion_tokens":30,"total_tokens":44,"cost":0.001,"is_byok":false,"prompt_tokens_details":{"cached_tokens":0},"cost_details":{"upstream_inference_cost":null},"completion_tokens_details":{"reasoning_tokens":20}}}`,
		events: []string{
			`{"choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"A greeting.","reasoning_details":[{"type":"reasoning.text","text":"A greeting."}]},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}`,
			`{"choices":[{"index":0,"delta":{"role":"assistant","content":"Hi."},"finish_reason":"stop","native_finish_reason":"STOP"}]}`,
			`{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":{"prompt_tokens":14,"completion_tokens":30,"total_tokens":44,"cost":0.001,"completion_tokens_details":{"reasoning_tokens":20}}}`,
		},
		said: "Hi.", thought: "A greeting.", billed: "input_tokens 14, output_tokens 30", reasoning: 20,
	},
	{
		name:  "Gemini, a sealed call of a tool",
		whole: `{"choices":[{"finish_reason":"tool_calls","index":0,"message":{"role":"assistant","tool_calls":[{"id":"function-call-1","type":"function","function":{"name":"weather","arguments":"{}"},"extra_content":{"google":{"thought_signature":"c2Vhb=="}}}]}}],"usage":{"prompt_tokens":20,"completion_tokens":5,"total_tokens":85}}`,
		events: []string{
			`{"choices":[{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"function-call-1","type":"function","function":{"name":"weather","arguments":"{}"},"extra_content":{"google":{"thought_signature":"c2Vhb=="}}}]}}]}`,
			`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":5,"total_tokens":85}}`,
		},
		billed: "input_tokens 20, output_tokens 65", reasoning: 60,
	},
	{
		name: "Anthropic's compatible endpoint",
		whole: `{"id":"msg_1","choices":[{"finish_reason":"stop","index":0,"logprobs":null,"message":{"content":"Hi.","refusal":null,"role":"assistant","audio":null,"function_call":null,"tool_calls":null,"annotations":null}}],"created":1,"model":"c","object":"chat.completion","service_tier":null,"system_fingerprint":null,
			"usage":{"completion_tokens":5,"prompt_tokens":12,"total_tokens":17,"completion_tokens_details":null,"prompt_tokens_details":null}}`,
		events: textEvents(`{"completion_tokens":5,"prompt_tokens":12,"total_tokens":17,"completion_tokens_details":null,"prompt_tokens_details":null}`),
		said:   "Hi.", billed: "input_tokens 12, output_tokens 5",
	},
	{
		name:   "Moonshot, its usage in the choice",
		whole:  `{` + textHi + `,"usage":{"prompt_tokens":13,"completion_tokens":3,"total_tokens":16,"cached_tokens":5}}`,
		events: []string{`{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}`, `{"choices":[{"index":0,"delta":{"content":"Hi."}}]}`, `{"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":13,"completion_tokens":3,"total_tokens":16,"cached_tokens":5}}]}`},
		said:   "Hi.", billed: "cached_input_tokens 5, input_tokens 8, output_tokens 3",
	},
	{
		name: "a small server: arguments as an object, numbers as ids, fractions, no role",
		whole: `{"id":7,"created":1.5,"choices":[{"index":0,"message":{"content":"","tool_calls":[{"id":9,"function":{"name":"weather","arguments":{"at":"Oslo"}}}]},"finish_reason":"tool_calls"}],
			"usage":{"prompt_tokens":11.0,"completion_tokens":4.0,"total_tokens":15.0}}`,
		events: []string{`{"id":7,"created":1.5,"choices":[{"delta":{"tool_calls":[{"id":9,"index":0,"function":{"name":"weather","arguments":{"at":"Oslo"}}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":11.0,"completion_tokens":4.0,"total_tokens":15.0}}`},
		billed: "input_tokens 11, output_tokens 4",
	},
	{
		name:   "all tokens went into reasoning",
		whole:  `{"choices":[{"index":0,"message":{"role":"assistant","content":null},"finish_reason":"length"}],"usage":{"prompt_tokens":11,"completion_tokens":90,"total_tokens":101,"completion_tokens_details":{"reasoning_tokens":90}}}`,
		events: []string{`{"choices":[{"index":0,"delta":{"role":"assistant","content":null}}]}`, `{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}`, `{"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":90,"total_tokens":101,"completion_tokens_details":{"reasoning_tokens":90}}}`},
		billed: "input_tokens 11, output_tokens 90", reasoning: 90,
	},

	counted("xAI, reasoning apart", `{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"completion_tokens_details":{"reasoning_tokens":94}}`, "input_tokens 32, output_tokens 103", 94),
	counted("Gemini, thinking apart and not named", `{"prompt_tokens":20,"completion_tokens":198,"total_tokens":623}`, "input_tokens 20, output_tokens 603", 405),
	counted("Gemini, nothing but thinking", `{"prompt_tokens":21,"completion_tokens":0,"total_tokens":81,"completion_tokens_details":{"reasoning_tokens":60}}`, "input_tokens 21, output_tokens 60", 60),
	counted("Gemini, no completion at all", `{"prompt_tokens":21,"total_tokens":81}`, "input_tokens 21, output_tokens 60", 60),
	counted("reasoning apart, and a total without it", `{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29,"completion_tokens_details":{"reasoning_tokens":94}}`, "input_tokens 20, output_tokens 103", 94),
	counted("reasoning apart, and no total", `{"prompt_tokens":20,"completion_tokens":9,"completion_tokens_details":{"reasoning_tokens":94}}`, "input_tokens 20, output_tokens 103", 94),
	counted("Perplexity, reasoning at the top", `{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29,"search_context_size":"low","citation_tokens":7,"reasoning_tokens":94}`, "input_tokens 20, output_tokens 103", 94),
	counted("xAI, reasoning apart and a cached prompt", `{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"prompt_tokens_details":{"text_tokens":32,"cached_tokens":30},"completion_tokens_details":{"reasoning_tokens":94},"num_sources_used":0}`, "cached_input_tokens 30, input_tokens 2, output_tokens 103", 94),
	counted("a total that is too small", `{"prompt_tokens":20,"completion_tokens":9,"total_tokens":3}`, "input_tokens 20, output_tokens 9", 0),
	counted("a total of nothing", `{"prompt_tokens":20,"completion_tokens":9,"total_tokens":0}`, "input_tokens 20, output_tokens 9", 0),

	// What cannot be is estimated: 7 tokens of prompt, and at least one of the response.
	counted("null", `null`, "estimated_tokens 8, input_tokens 7, output_tokens 1", 0),
	counted("a list", `[1]`, "estimated_tokens 8, input_tokens 7, output_tokens 1", 0),
	counted("a text", `"many"`, "estimated_tokens 8, input_tokens 7, output_tokens 1", 0),
	counted("zeros", `{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}`, "estimated_tokens 8, input_tokens 7, output_tokens 1", 0),
	counted("texts for numbers", `{"prompt_tokens":"20","completion_tokens":"9","total_tokens":"29"}`, "estimated_tokens 8, input_tokens 7, output_tokens 1", 0),
	counted("a text for one number", `{"prompt_tokens":20,"completion_tokens":9,"total_tokens":"29"}`, "estimated_tokens 16, input_tokens 7, output_tokens 9", 0),
	counted("negative", `{"prompt_tokens":20,"completion_tokens":-9,"total_tokens":11}`, "estimated_tokens 8, input_tokens 7, output_tokens 1", 0),
	counted("negative reasoning", `{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29,"completion_tokens_details":{"reasoning_tokens":-1}}`, "estimated_tokens 16, input_tokens 7, output_tokens 9", 0),
	counted("a huge total", `{"prompt_tokens":20,"completion_tokens":9,"total_tokens":99999999}`, "estimated_tokens 16, input_tokens 7, output_tokens 9", 0),
	counted("an overflow", `{"prompt_tokens":20,"completion_tokens":9223372036854775807,"total_tokens":9223372036854775808}`, "estimated_tokens 8, input_tokens 7, output_tokens 1", 0),
	counted("beyond floats", `{"prompt_tokens":20,"completion_tokens":1e999,"total_tokens":29}`, "estimated_tokens 8, input_tokens 7, output_tokens 1", 0),
	counted("a fraction", `{"prompt_tokens":20,"completion_tokens":9.5,"total_tokens":29}`, "estimated_tokens 8, input_tokens 7, output_tokens 1", 0),
	counted("more of the prompt than there is", `{"prompt_tokens":99999,"completion_tokens":9,"total_tokens":100008}`, "estimated_tokens 16, input_tokens 7, output_tokens 9", 0),
	counted("more cached than there is", `{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29,"prompt_cache_hit_tokens":21}`, "estimated_tokens 16, input_tokens 7, output_tokens 9", 0),
	// It reasoned beyond the limit and says so: as much as was reserved is taken.
	counted("reasoning beyond the limit", `{"prompt_tokens":20,"completion_tokens":9,"total_tokens":30029,"completion_tokens_details":{"reasoning_tokens":30000}}`, "estimated_tokens 1016, input_tokens 20, output_tokens 1016", 1007),
	{
		name:   "less than was produced",
		whole:  `{"choices":[{"message":{"role":"assistant","content":"` + strings.Repeat("word ", 100) + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":1,"total_tokens":21}}`,
		events: []string{`{"choices":[{"delta":{"content":"` + strings.Repeat("word ", 100) + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":1,"total_tokens":21}}`},
		said:   strings.Repeat("word ", 100), billed: "estimated_tokens 132, input_tokens 7, output_tokens 125",
	},
}
