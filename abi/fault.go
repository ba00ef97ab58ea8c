package abi

import "errors"

// The ways in which an invocation fails. Each is a sentinel that errors.Is
// finds in whatever the engine returns; FaultKind gives its word for meters,
// logs and metrics.
var (
	ErrTrap             = errors.New("the app trapped")
	ErrFuelExhausted    = errors.New("the app used up its instruction limit")
	ErrMemoryExhausted  = errors.New("the app needs more memory than its limit")
	ErrStackExhausted   = errors.New("the app called functions too deeply")
	ErrDeadlineExceeded = errors.New("the app ran past its time limit")
	ErrBadResponse      = errors.New("the app's response is malformed")
	ErrResponseTooLarge = errors.New("the app's response is over its size limit")
	ErrRequestTooLarge  = errors.New("the request is over the app's size limit")
	ErrBusy             = errors.New("the app is serving as many requests as it may at once")
	ErrNotGranted       = errors.New("the app imports a capability that is not granted")
	ErrCanceled         = errors.New("the caller went away")
	ErrHostTimeExceeded = errors.New("the app used up its time for host calls")
	ErrTooManyCalls     = errors.New("the app called its capabilities too often")
	ErrExitStatus       = errors.New("the app ended with a non-zero exit status")
	ErrNodeBusy         = errors.New("the node has no room for another call at the moment")
	ErrMemoryQuota      = errors.New("the memory that a quota allows at once is used up")
)

// KindCanceled is the word for a call whose caller left before it was over, such as a reader that
// closed a stream.
const KindCanceled = "canceled"

// Failed reports whether a kind of FaultKind is a failure. A caller that leaves is none: the call
// did what was asked of it until then, and is billed for that.
func Failed(kind string) bool { return kind != "" && kind != KindCanceled }

// faultKinds is append-only: the words are in stored usage.
var faultKinds = []struct {
	err  error
	kind string
}{
	{ErrTrap, "trap"},
	{ErrFuelExhausted, "fuel"},
	{ErrMemoryExhausted, "memory"},
	{ErrStackExhausted, "stack"},
	{ErrDeadlineExceeded, "deadline"},
	{ErrBadResponse, "bad_response"},
	{ErrResponseTooLarge, "response_too_large"},
	{ErrRequestTooLarge, "request_too_large"},
	{ErrBusy, "busy"},
	{ErrNotGranted, "not_granted"},
	{ErrCanceled, KindCanceled},
	{ErrExitStatus, "exit_status"},
	{ErrHostTimeExceeded, "host_time"},
	{ErrTooManyCalls, "host_calls"},
	{ErrNodeBusy, "node_busy"},
	{ErrMemoryQuota, "memory_quota"},
}

// FaultKind is the meter's word for an invocation's error: "" for nil,
// "internal" for an error that is the node's and not the app's.
func FaultKind(err error) string {
	if err == nil {
		return ""
	}
	for _, f := range faultKinds {
		if errors.Is(err, f.err) {
			return f.kind
		}
	}
	return "internal"
}

// FaultOf is the sentinel of a word of FaultKind; nil for one that has none.
func FaultOf(kind string) error {
	for _, f := range faultKinds {
		if f.kind == kind {
			return f.err
		}
	}
	return nil
}

// FaultKinds lists the words that FaultKind can answer, without "".
func FaultKinds() []string {
	kinds := make([]string, 0, len(faultKinds)+1)
	for _, f := range faultKinds {
		kinds = append(kinds, f.kind)
	}
	return append(kinds, "internal")
}
