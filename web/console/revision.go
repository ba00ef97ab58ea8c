package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/triggers"
	"github.com/agora-host/agora/web/problem"
)

// Revisions hold the forms of a page to the documents that the page showed.
type Revisions interface {
	// Expect returns a context within which a change is made only if a document is as expected;
	// control.ErrPrecondition if it is not.
	Expect(ctx context.Context, of control.Document, c control.Condition) (context.Context, error)
	// Changed reads a document as it is now, and what changed it after a revision.
	Changed(ctx context.Context, of control.Document, after abi.Rev) (control.Changed, error)
}

// revisionField is the hidden field of every form that changes a document which another person may
// change, too: the revision of the state that the page was made of, and the document's tag. A form
// without it, which no page has, changes whatever is there.
const revisionField = "revision"

// revisionOfNone is the field's value in a form that makes a document.
const revisionOfNone = "none"

// Revision is the value of revisionField in forms about a document that a page shows. The state's
// revision is read before the document, so that no change is missed between the two.
func (b base) Revision(doc any) string { return b.revision(control.Tag(doc)) }

func (b base) revision(tag string) string { return revision(b.Info.Rev, tag) }

func revision(rev abi.Rev, tag string) string {
	return fmt.Sprintf("%d-%s", rev, strings.Trim(tag, `"`))
}

// shownAs returns what a form expects of its document, and from which revision on it knows of no
// change.
func shownAs(value string) (c control.Condition, rev abi.Rev, err error) {
	if value == revisionOfNone {
		return control.Condition{NoneMatch: &control.Tags{Any: true}}, 0, nil
	}
	number, tag, ok := strings.Cut(value, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil || tag == "" || strings.Contains(tag, `"`) {
		return c, 0, fmt.Errorf("%w: %.80q is no revision that a page of this console has; reload the page", problem.ErrBadRequest, value)
	}
	return control.Condition{Match: &control.Tags{List: []string{`"` + tag + `"`}}}, abi.Rev(n), nil
}

// subject names the document that a form changes.
type subject func(*http.Request) control.Document

func anApp(r *http.Request) control.Document {
	return control.Document{Kind: control.DocumentApp, ID: r.PathValue("app")}
}

func aRequest(r *http.Request) control.Document {
	return control.Document{Kind: control.DocumentRequest, ID: r.PathValue("id")}
}

func aGrant(r *http.Request) control.Document {
	return control.Document{Kind: control.DocumentGrant, ID: r.PathValue("id")}
}

func aUser(r *http.Request) control.Document {
	return control.Document{Kind: control.DocumentUser, ID: r.FormValue("name")}
}

func aTrigger(r *http.Request) control.Document {
	return control.Document{Kind: control.DocumentTrigger, Trigger: triggerOf(r)}
}

// staleForm is a form about a document that has changed since its page was shown.
type staleForm struct {
	of    control.Document
	since abi.Rev
	err   error
}

func (s *staleForm) Error() string { return s.err.Error() }
func (s *staleForm) Unwrap() error { return s.err }

// expecting does an act only if its document is as the form's page showed it.
func (f *frame) expecting(of subject, do actFunc) actFunc {
	return func(r *http.Request) (string, error) {
		value := r.FormValue(revisionField)
		if value == "" {
			return do(r)
		}
		shown, since, err := shownAs(value)
		if err != nil {
			return "", err
		}
		doc, next := of(r), ""
		ctx, err := f.revisions.Expect(r.Context(), doc, shown)
		if err == nil {
			next, err = do(r.WithContext(ctx))
		}
		if errors.Is(err, control.ErrPrecondition) {
			err = &staleForm{doc, since, err}
		}
		return next, err
	}
}

// staleView shows what changed under a form, and the form as it was filled in.
type staleView struct {
	base
	Problem  abi.Problem
	Kind     control.DocumentKind
	Changes  []abi.Event
	Facts    []fact // of the document, as it is now
	Back     string
	Action   string
	Again    string // the revision that the form carries now
	Hidden   []fact
	Sent     []fact // what the form says beside what was typed
	Typed    []fact
	OfUser   bool // the form has boxes for roles, and one that disables
	Chosen   []access.Role
	Disabled bool
}

type fact struct{ Name, Label, Value string }

// Roles are the boxes of a form about a user.
func (v staleView) Roles() []access.Role { return offered(v.Chosen) }

// Has reports whether a box was checked.
func (v staleView) Has(r access.Role) bool { return slices.Contains(v.Chosen, r) }

// typed are the fields in which people write, and chosen those that a button or a link of the page
// decided, each with its label. All others say no more than the address does.
var (
	typed  = []fact{{Name: "reason", Label: "Reason"}, {Name: "title", Label: "Title"}, {Name: "to", Label: "New owner, or new mail address"}}
	chosen = []fact{{Name: "verdict", Label: "Verdict"}, {Name: "release", Label: "Release"}, {Name: "tier", Label: "Tier"}, {Name: "name", Label: "Name"}}
)

// changed shows a form whose document has changed meanwhile: nothing was done, and nothing that was
// typed is lost.
func (f *frame) changed(w http.ResponseWriter, r *http.Request, stale *staleForm) {
	now, err := f.revisions.Changed(r.Context(), stale.of, stale.since)
	if err != nil {
		f.failed(w, r, err)
		return
	}
	b, err := f.base(r, "The "+string(stale.of.Kind)+" changed while you looked", "")
	if err != nil {
		f.failed(w, r, err)
		return
	}
	b.Notice = ""
	v := staleView{
		base: b, Problem: problem.For(stale), Kind: stale.of.Kind, Changes: now.Events, Facts: factsOf(now.Doc),
		Back: back(r), Action: r.URL.Path, Again: revisionOfNone,
	}
	if now.Doc != nil {
		v.Again = revision(now.Rev, now.Tag)
	}
	v.fill(r)
	f.render(w, r, v.Problem.Status, "changed", v)
}

// fill takes what was sent into the form.
func (v *staleView) fill(r *http.Request) {
	for _, one := range typed {
		if r.PostForm.Has(one.Name) {
			one.Value = r.PostForm.Get(one.Name)
			v.Typed = append(v.Typed, one)
		}
	}
	for _, one := range chosen {
		if one.Value = r.PostForm.Get(one.Name); one.Value != "" {
			v.Sent = append(v.Sent, one)
		}
	}
	isTyped := func(name string) bool {
		return slices.ContainsFunc(typed, func(one fact) bool { return one.Name == name })
	}
	// A form without a checked box is still one about roles.
	v.OfUser = v.Action == "/settings/users"
	v.Disabled = r.PostForm.Get("disabled") != ""
	for _, word := range r.PostForm["role"] {
		v.Chosen = append(v.Chosen, access.Role(word))
	}
	for name, values := range r.PostForm {
		if name == revisionField || isTyped(name) || v.OfUser && (name == "role" || name == "disabled") {
			continue
		}
		for _, value := range values {
			v.Hidden = append(v.Hidden, fact{Name: name, Value: value})
		}
	}
}

// factsOf says in words what a document is now, as far as forms change it.
func factsOf(doc any) []fact {
	say := func(pairs ...string) (all []fact) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i+1] != "" {
				all = append(all, fact{Label: pairs[i], Value: pairs[i+1]})
			}
		}
		return all
	}
	yes := func(is bool) string { return map[bool]string{true: "yes", false: "no"}[is] }
	switch d := doc.(type) {
	case access.User:
		return say("Name", d.Name, "Roles", joined(d.Roles, "none"), "Disabled", yes(d.Disabled))
	case control.App:
		offered := ""
		if d.Offer != nil {
			offered = d.Offer.To
		}
		serving := ""
		if d.Serving != 0 {
			serving = fmt.Sprintf("release %d in %s", d.Serving, d.Tier)
		}
		return say("Title", d.Title, "Owner", d.Owner, "Offered to", offered, "State", string(d.State), "Serves", serving)
	case approvals.Request:
		return say("Status", string(d.Status), "Module", string(d.Digest), "Reaches", d.Reaches)
	case approvals.Grant:
		return say("Capability", d.Capability, "Up to", string(d.Tier), "Revoked", yes(!d.Revoked.IsZero()))
	case control.TriggerFace:
		paused, reason := yes(d.Pause != nil), ""
		if d.Pause != nil {
			paused, reason = "yes, by "+d.Pause.By, d.Pause.Reason
		}
		return say("Paused", paused, "Reason", reason)
	}
	return nil
}

func joined(roles []access.Role, none string) string {
	if len(roles) == 0 {
		return none
	}
	words := make([]string, len(roles))
	for i, r := range roles {
		words[i] = string(r)
	}
	return strings.Join(words, ", ")
}

// triggerOf is the trigger that a form is about.
func triggerOf(r *http.Request) triggers.Ref {
	return triggers.Ref{App: r.PathValue("app"), Kind: abi.TriggerKind(r.FormValue("kind")), Name: r.FormValue("name")}
}
