package abi

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"unicode/utf8"
)

// Use is something that an app did with a capability: so many of a meter's
// units, on a subject.
type Use struct {
	Capability string `json:"capability"` // its word: "fetch"
	Meter      string `json:"meter"`      // one of the meters below
	Subject    string `json:"subject"`    // on what, coarse enough to be listed: a host, a model, a key's prefix; "" if there is nothing to say
	N          uint64 `json:"n"`
}

// The meters of capabilities. Append-only: the words are in stored usage.
const (
	MeterReads         = "reads"          // operations that change nothing
	MeterWrites        = "writes"         // operations that change something
	MeterCalls         = "calls"          // calls that left the node
	MeterDenied        = "denied"         // operations that were refused because they are not granted
	MeterQuotaExceeded = "quota_exceeded" // operations that were refused because a quota is used up
	MeterFailed        = "failed"         // operations that the node or the other side could not do
	MeterBytesSent     = "bytes_sent"     // bytes that left the node
	MeterBytesReceived = "bytes_received" // bytes that came back
	MeterEvents        = "events"         // events that were published

	MeterInputTokens       = "input_tokens"        // tokens of a model's prompts that were not cached
	MeterCachedInputTokens = "cached_input_tokens" // tokens of a model's prompts that were
	MeterOutputTokens      = "output_tokens"       // tokens of a model's answers
	MeterEstimatedTokens   = "estimated_tokens"    // of all those tokens, what the provider did not report and the node estimated

	MeterByteHours = "byte_hours" // bytes that were kept, times the hours for which they were
	MeterCPU       = "cpu_ms"     // milliseconds of processor time, of the node's own work for an app

	MeterRedacted = "redacted" // lines of the log of which the node took a secret
)

// StoredMeter returns the name of a meter that is read from a store. Usage that was stored before
// some meters had their names is read under those of today, and never rewritten.
func StoredMeter(word string) string {
	switch word {
	case "over":
		return MeterQuotaExceeded
	case "sent":
		return MeterBytesSent
	case "got":
		return MeterBytesReceived
	case "prompt":
		return MeterInputTokens
	case "cached":
		return MeterCachedInputTokens
	case "answer":
		return MeterOutputTokens
	case "guessed":
		return MeterEstimatedTokens
	}
	return word
}

// maxUses bounds what one invocation's recorder keeps apart, and maxSubject a
// subject's bytes. What goes beyond, or is no text, is counted under OtherSubject.
const (
	maxUses    = 64
	maxSubject = 200
)

// OtherSubject stands for the subjects that a recorder had no room for.
const OtherSubject = "…"

// Recorder collects what one invocation did with its capabilities. The zero
// value is ready. It is safe for concurrent use.
type Recorder struct {
	mu    sync.Mutex
	uses  []Use
	scope Scope // of that invocation, see scope.go
	call  string
}

// Begin names the invocation that what follows belongs to.
func (r *Recorder) Begin(call string) { r.call = call }

// CallOf returns the id of the invocation in whose course a capability is called; "" for none.
func CallOf(ctx context.Context) string {
	if r, ok := ctx.Value(recorderKey{}).(*Recorder); ok {
		return r.call
	}
	return ""
}

type recorderKey struct{}

// WithRecorder gives capabilities a place to note what they did.
func WithRecorder(ctx context.Context, r *Recorder) context.Context {
	return context.WithValue(ctx, recorderKey{}, r)
}

// Note adds a use to the context's recorder, if it has one.
func Note(ctx context.Context, u Use) {
	if r, ok := ctx.Value(recorderKey{}).(*Recorder); ok && u.N > 0 {
		r.add(u)
	}
}

// NoteOutcome notes a use as what became of it: done, over a quota, or failed. It
// returns what the guest may know. internal tells that err is the node's own
// trouble and belongs in its log.
func NoteOutcome(ctx context.Context, u Use, err error) (errno Errno, internal bool) {
	errno, known := errors.AsType[Errno](err)
	switch {
	case err == nil:
	case !known:
		u.Meter, errno, internal = MeterFailed, ErrnoUnavailable, true
	case errno == ErrnoQuota:
		u.Meter = MeterQuotaExceeded
	}
	Note(ctx, u)
	return errno, internal
}

func (r *Recorder) add(u Use) {
	if len(u.Subject) > maxSubject || !utf8.ValidString(u.Subject) {
		u.Subject = OtherSubject
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		same := func(o Use) bool {
			return o.Capability == u.Capability && o.Meter == u.Meter && o.Subject == u.Subject
		}
		if i := slices.IndexFunc(r.uses, same); i >= 0 {
			r.uses[i].N += u.N
			return
		}
		if len(r.uses) < maxUses || u.Subject == OtherSubject {
			r.uses = append(r.uses, u) // of capabilities and meters there are few
			return
		}
		u.Subject = OtherSubject
	}
}

// Reset empties a recorder for its next invocation. Whoever notes must be done
// by then: a capability notes before it answers.
func (r *Recorder) Reset() {
	r.End()
	r.scope.reopen()
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.uses)
	r.uses = r.uses[:0]
}

// Uses returns what was noted, sorted, each capability, meter and subject once.
func (r *Recorder) Uses() []Use {
	r.mu.Lock()
	defer r.mu.Unlock()
	uses := slices.Clone(r.uses)
	slices.SortFunc(uses, func(a, b Use) int {
		return cmp.Or(cmp.Compare(a.Capability, b.Capability), cmp.Compare(a.Meter, b.Meter), cmp.Compare(a.Subject, b.Subject))
	})
	return uses
}
