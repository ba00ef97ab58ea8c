package abi

import (
	"context"
	"slices"
	"strings"
)

// A Capability is something an app may ask for: one import module with a fixed
// set of functions, or none if what it allows is not called. All functions have one shape,
//
//	fn(req_ptr i32, req_len i32, out_ptr i32, out_cap i32) -> i64
//
// A result >= 0 is the length of the response; when it exceeds out_cap nothing
// was written and the guest calls again with a larger buffer and the same
// request: it is given the response that was kept, and what the call did is not
// done again. A negative result is an Errno, negated.
type Capability struct {
	Name      string   // the word in manifests, grants and bills: "kv"
	Module    string   // the import module: "app:kv/v1"
	Functions []string // in ABI order
	Params    []string // what a manifest may say about it, see registry.CapabilityAsk
	Summary   string   // one sentence for a reviewer
}

// Capabilities lists every capability this version knows, sorted by name.
func Capabilities() []Capability {
	return []Capability{
		{
			Name: "blob", Module: "app:blob/v1",
			// put: u32 LE name length, name, contents of at most MaxBlob bytes in one piece ->
			// empty (ErrnoTooLarge, ErrnoQuota).
			// get: u64 LE offset, u64 LE length, name -> bytes: fewer where the blob ends, none
			// behind its end (ErrnoNotFound).
			// stat: name -> u64 LE size, u64 LE Unix milliseconds, SHA-256 (ErrnoNotFound).
			// delete: name -> empty; deleting what is not there succeeds.
			// list: u32 LE prefix length, prefix, name after which to begin -> for each of up to
			// MaxKVList blobs, in order: u32 LE length, name, u64 LE size.
			Functions: []string{"put", "get", "stat", "delete", "list"},
			Params:    []string{"quota", "keys"},
			Summary:   "Keep files of its own between requests, up to a quota.",
		},
		{
			Name: "config", Module: "app:config/v1",
			// get: key -> value (ErrnoNotFound).
			Functions: []string{"get"},
			Summary:   "Read the settings that its manifest lists.",
		},
		{
			Name: CapabilityEvents, Module: "app:events/v1",
			// publish: u32 LE topic length, topic, u32 LE dedupe key length, dedupe key
			// (may be empty), payload -> the event's id (ErrnoDenied, ErrnoQuota,
			// ErrnoTooLarge). Durable when it answers.
			Functions: []string{"publish"},
			Params:    []string{"topics"},
			Summary:   "Publish events, of the topics that it lists, to apps that may receive them.",
		},
		{
			Name: "fetch", Module: FetchModule,
			// do: a request frame -> a response frame, see fetch.go (ErrnoDenied,
			// ErrnoTooLarge, ErrnoQuota, ErrnoDeadline, ErrnoUnavailable).
			Functions: []string{FetchDo},
			Params:    []string{"allow", "credentials", "max_calls", "max_request", "max_response"},
			Summary:   "Send requests to the addresses that are listed, and to no other.",
		},
		{
			Name: "kv", Module: "app:kv/v1",
			// get: key -> value (ErrnoNotFound).
			// set: u32 LE key length, key, value -> empty (ErrnoQuota).
			// delete: key -> empty; deleting an absent key succeeds.
			// list: prefix -> for each of the first MaxKVList keys, in order: u32 LE length, key.
			// put: u64 LE milliseconds to live (0: for ever), then as set -> empty (ErrnoQuota).
			// swap: u64 LE milliseconds to live, u32 LE key length, key, u32 LE length of the
			// value that must be there (2^32-1: none), it, u32 LE length of the new value
			// (2^32-1: delete), it -> empty (ErrnoConflict, ErrnoQuota).
			// scan: u32 LE prefix length, prefix, key -> as list, beginning after that key.
			// An entry whose time is over is not there.
			Functions: []string{"get", "set", "delete", "list", "put", "swap", "scan"},
			Params:    []string{"quota", "keys"},
			Summary:   "Keep data of its own between requests, up to a quota.",
		},
		{
			Name: "llm", Module: LLMModule,
			// See llm.go (ErrnoDenied, ErrnoTooLarge, ErrnoQuota, ErrnoDeadline,
			// ErrnoUnavailable; ErrnoNotFound for a handle).
			Functions: []string{LLMChat, LLMOpen, LLMNext, LLMClose},
			Params:    []string{"daily_cents", "max_calls", "max_tokens", "models", "per_minute"},
			Summary:   "Ask language models, of those that are listed, up to what a day may cost.",
		},
		{
			Name: "log", Module: "app:log/v1",
			// write: level byte (0 debug, 1 info, 2 warn, 3 error), UTF-8 text -> empty.
			Functions: []string{"write"},
			Summary:   "Write lines to the app's log.",
		},
		{
			Name: "secret", Module: "app:secret/v1",
			// get: name -> value (ErrnoNotFound: not set; ErrnoDenied: not granted).
			Functions: []string{"get"},
			Params:    []string{"names"},
			Summary:   "Read the secrets that are named.",
		},
		{
			Name:    CapabilitySubscribe, // no import module: see trigger.go
			Params:  []string{"topics"},
			Summary: "Receive events that other apps publish.",
		},
	}
}

// CapabilityNamed finds a capability by its word.
func CapabilityNamed(name string) (Capability, bool) {
	return findCapability(func(c Capability) bool { return c.Name == name })
}

// CapabilityOf finds the capability behind an import module.
func CapabilityOf(module string) (Capability, bool) {
	return findCapability(func(c Capability) bool { return c.Module == module && module != "" })
}

func findCapability(match func(Capability) bool) (Capability, bool) {
	all := Capabilities()
	i := slices.IndexFunc(all, match)
	if i < 0 {
		return Capability{}, false
	}
	return all[i], true
}

// IsCapabilityModule reports whether an import module name is in the space kept
// for capabilities, known to this version or not.
func IsCapabilityModule(module string) bool { return strings.HasPrefix(module, "app:") }

// HostFunc serves one capability call. in aliases guest memory and is valid
// only during the call; the response must not alias it. The context carries the
// deadline of the invocation.
type HostFunc func(ctx context.Context, in []byte) (out []byte, errno Errno)

// Link is a granted capability bound to one app: its functions by name.
type Link map[string]HostFunc

// Errno is how a capability call refuses, as seen by the guest.
type Errno int32

// Append only: the numbers are in compiled guests.
const (
	ErrnoOK          Errno = 0
	ErrnoInvalid     Errno = 1 // the request bytes are malformed
	ErrnoNotFound    Errno = 2 // no such key
	ErrnoDenied      Errno = 3 // not granted
	ErrnoQuota       Errno = 4 // the app's quota would be exceeded
	ErrnoTooLarge    Errno = 5 // one key, value or line is over its limit
	ErrnoUnavailable Errno = 6 // the node cannot do it now; try again later
	ErrnoFault       Errno = 7 // a pointer or length lies outside guest memory
	ErrnoConflict    Errno = 8 // what is there is not what the caller expected
	ErrnoDeadline    Errno = 9 // the other side took too long
)

func (e Errno) Error() string {
	names := [...]string{"ok", "invalid request", "not found", "not granted", "over quota", "too large", "unavailable", "bad pointer", "conflict", "took too long"}
	if e < 0 || int(e) >= len(names) {
		return "unknown errno"
	}
	return names[e]
}
