package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/triggers"
)

// ErrPrecondition: a write names the document that its caller has read, and that is not the one of now.
var ErrPrecondition = errors.New("the document is not the one that was read")

// DocumentKind is a kind of document that two people may edit.
type DocumentKind string

// The kinds of documents that have a tag.
const (
	DocumentApp     DocumentKind = "app"
	DocumentUser    DocumentKind = "user"
	DocumentGroup   DocumentKind = "group"
	DocumentRequest DocumentKind = "request"
	DocumentGrant   DocumentKind = "grant"
	DocumentTrigger DocumentKind = "trigger"

	DocumentAudience DocumentKind = "audience"
)

// Document names one document.
type Document struct {
	Kind    DocumentKind
	ID      string       // of all but triggers: the name or the id; of audiences the app's
	Trigger triggers.Ref // of triggers
	Tier    abi.Tier     // of audiences
}

// Tag returns the strong entity tag of a document: equal documents have equal tags, on every node and
// after a restart. It is made of the document as its reader sees it, and of nothing else.
func Tag(doc any) string {
	raw, err := json.Marshal(doc)
	if err != nil {
		panic("BUG: a document cannot be written: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// Tags is what If-Match or If-None-Match names.
type Tags struct {
	Any  bool     // "*": whatever there is
	List []string // strong tags, in their quotation marks
}

// has reports whether a tag is among those named; "" is the tag of what is not there.
func (t Tags) has(tag string) bool { return tag != "" && (t.Any || slices.Contains(t.List, tag)) }

// Condition is what a write expects of the document that it is about.
type Condition struct {
	Match     *Tags // it is one of these; nil: whatever it is
	NoneMatch *Tags // it is none of these
}

// Given reports whether there is a condition.
func (c Condition) Given() bool { return c.Match != nil || c.NoneMatch != nil }

// Holds reports whether a document that has a tag, "" if there is none, is as expected.
func (c Condition) Holds(tag string) bool {
	return (c.Match == nil || c.Match.has(tag)) && (c.NoneMatch == nil || !c.NoneMatch.has(tag))
}

// Changed is a document as its reader finds it now, and what changed it since it was read before.
type Changed struct {
	Doc    any
	Tag    string      // of Doc
	Rev    abi.Rev     // to look for later changes from: no younger than Doc
	Events []abi.Event // those that its reader may see, newest first
}

// guard is what the first change of a request is held to.
type guard struct {
	check func(state.Reader) error
	met   bool // a change was committed: those after it find what it made
}

type guardKey struct{}

// Guarded returns a context with which Desk.Update makes a change only if check returns nil about
// the state that the change finds, in its transaction. check may run more than once.
func Guarded(ctx context.Context, check func(state.Reader) error) context.Context {
	return context.WithValue(ctx, guardKey{}, &guard{check: check})
}

func checkGuard(ctx context.Context, tx state.Reader) error {
	if g, ok := ctx.Value(guardKey{}).(*guard); ok && !g.met {
		return g.check(tx)
	}
	return nil
}

func passGuard(ctx context.Context) {
	if g, ok := ctx.Value(guardKey{}).(*guard); ok {
		g.met = true
	}
}
