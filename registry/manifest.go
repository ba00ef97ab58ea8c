package registry

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
)

// Manifest is what an author declares about a release, in TOML. Unknown keys
// are refused. Schema publishes the same shape as a JSON schema.
type Manifest struct {
	Name           string `toml:"name" json:"name"`
	Version        string `toml:"version" json:"version"` // free text for people, at most 64 bytes
	Title          string `toml:"title,omitempty" json:"title,omitempty"`
	Description    string `toml:"description,omitempty" json:"description,omitempty"`
	Owner          string `toml:"owner" json:"owner"` // the identity that signs
	Team           string `toml:"team" json:"team"`
	CostCenter     string `toml:"cost_center" json:"cost_center"`
	Classification string `toml:"data_classification" json:"data_classification"` // public, internal, confidential or restricted

	// ExpectedUsers, MonthlyCents and Answers are what a reviewer reads first beside the description.
	ExpectedUsers Count             `toml:"expected_users,omitempty" json:"expected_users,omitempty"`
	MonthlyCents  Count             `toml:"monthly_cents,omitempty" json:"monthly_cents,omitempty"`
	Answers       map[string]string `toml:"answers,omitempty" json:"answers,omitempty"`

	// StartOnce lets the app's start-up run once for all requests even though it
	// asks for randomness or the clock: each request then finds the same responses.
	StartOnce bool `toml:"start_once,omitempty" json:"start_once,omitempty"`

	// WarmUp is a path that start-up asks for once, so that what a first request
	// prepares is there for all. "" for none.
	WarmUp string `toml:"warm_up,omitempty" json:"warm_up,omitempty"`
	// KeepState lets what a request leaves in memory be found by later ones that
	// happen to reach the same instance.
	KeepState bool `toml:"keep_state,omitempty" json:"keep_state,omitempty"`

	// Durability is what the bill of a call outlives before its response ends:
	// "process" or "power", which is the default.
	Durability string `toml:"durability,omitempty" json:"durability,omitempty"`

	Limits Limits `toml:"limits,omitempty" json:"limits"`
	// Capabilities are what the app asks for, by word, with parameters:
	// [capabilities.kv] quota = "1MiB".
	Capabilities map[string]CapabilityAsk `toml:"capabilities,omitempty" json:"capabilities,omitempty"`
	// Triggers are what calls the app besides requests.
	Triggers Triggers `toml:"triggers,omitempty" json:"triggers,omitzero"`
	// Static are files that the node serves beside the app; nil for none.
	Static *Static `toml:"static,omitempty" json:"static,omitempty"`
	// Access says what is open without a sign-in, and what the app is told of people; nil: nothing.
	Access *Opening `toml:"access,omitempty" json:"access,omitempty"`
	// Config are the settings that the config capability reads.
	Config map[string]string `toml:"config,omitempty" json:"config,omitempty"`
}

// Limits bound one request, and how many run at once. Zero means the default.
type Limits struct {
	Fuel         uint64   `toml:"fuel,omitempty" json:"fuel"`                   // instructions
	Memory       Size     `toml:"memory,omitempty" json:"memory"`               // linear memory, "32MiB"
	Timeout      Duration `toml:"timeout,omitempty" json:"timeout"`             // wall clock, "2s"
	HostTime     Duration `toml:"host_time,omitempty" json:"host_time"`         // of it, waiting for the node; by default all of it
	RequestBody  Size     `toml:"request_body,omitempty" json:"request_body"`   //
	ResponseBody Size     `toml:"response_body,omitempty" json:"response_body"` //
	Concurrency  int      `toml:"concurrency,omitempty" json:"concurrency"`     // requests served at once
}

// CapabilityAsk are the parameters of one declared capability. Which of them it
// has is in abi.Capability.Params.
type CapabilityAsk struct {
	Quota  Size     `toml:"quota,omitempty" json:"quota,omitempty"`   // bytes that may be kept
	Keys   int64    `toml:"keys,omitempty" json:"keys,omitempty"`     // entries that may be kept
	Names  []string `toml:"names,omitempty" json:"names,omitempty"`   // of secrets
	Topics []string `toml:"topics,omitempty" json:"topics,omitempty"` // of events

	Allow       []string `toml:"allow,omitempty" json:"allow,omitempty"`               // origins to fetch from: "https://api.example.com", "https://*.example.com:8443"
	Credentials []string `toml:"credentials,omitempty" json:"credentials,omitempty"`   // secrets that the node attaches: see abi.ParseFetchCredential
	MaxCalls    int      `toml:"max_calls,omitempty" json:"max_calls,omitempty"`       // in one request
	MaxRequest  Size     `toml:"max_request,omitempty" json:"max_request,omitempty"`   // bytes of one body
	MaxResponse Size     `toml:"max_response,omitempty" json:"max_response,omitempty"` // bytes of one body

	Models     []string `toml:"models,omitempty" json:"models,omitempty"`           // that may be asked, by the node's names for them
	MaxTokens  int64    `toml:"max_tokens,omitempty" json:"max_tokens,omitempty"`   // of one answer
	PerMinute  int64    `toml:"per_minute,omitempty" json:"per_minute,omitempty"`   // calls
	DailyCents int64    `toml:"daily_cents,omitempty" json:"daily_cents,omitempty"` // what a day (UTC) may cost
}

// Params are the parameters as requests, grants and rules carry them.
func (a CapabilityAsk) Params() abi.Params {
	params := abi.Params{}
	for f, v := range reflect.ValueOf(a).Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		switch {
		case v.IsZero():
		case v.Kind() == reflect.Slice:
			params[name] = strings.Join(slices.Compact(slices.Sorted(slices.Values(v.Interface().([]string)))), " ")
		default:
			params[name] = strconv.FormatInt(v.Int(), 10)
		}
	}
	if len(params) == 0 {
		return nil
	}
	return params
}

// Size is a number of bytes, written "512KiB", "32MiB" or as an integer.
type Size int64

// Duration is written "250ms", "2s".
type Duration time.Duration
