package revisions

import (
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/apps"
	"github.com/agora-host/agora/state"
)

func nameOf(of control.Document) string {
	if of.Kind == control.DocumentTrigger {
		return string(of.Trigger.Kind) + " trigger " + of.Trigger.Name + " of app " + of.Trigger.App
	}
	if of.Kind == control.DocumentAudience {
		return string(of.Kind) + " of app " + of.ID + " in the " + string(of.Tier) + " tier"
	}
	return string(of.Kind) + " " + of.ID
}

// search is where the feed tells of changes of a document.
type search struct {
	app   string
	kinds []string // words before the dot, or whole kinds
	about func(abi.Event) bool
}

// trace returns where the feed tells of changes of a document: of what is in it, or is shown with it.
func trace(of control.Document, doc any) search {
	named := func(id string, also ...string) func(abi.Event) bool {
		return func(e abi.Event) bool {
			return e.Subject == id || e.Detail["was"] == id || slices.ContainsFunc(also, func(kind string) bool { return matches(kind, e.Kind) })
		}
	}
	switch d := doc.(type) {
	case approvals.Request:
		return search{d.App, []string{"request", "release.published"}, named(d.ID, "release.published")}
	case approvals.Grant:
		return search{d.App, []string{"grant", "release"}, named(d.ID, "release")}
	case control.TriggerFace:
		return search{d.Ref.App, []string{"trigger.paused", "trigger.resumed", "release", "request", "grant"}, named(d.Ref.Name, "release", "request", "grant")}
	case control.Group:
		return search{"", []string{"group"}, named(d.ID)}
	case control.Audience:
		return search{d.App, []string{"audience", "request"}, func(e abi.Event) bool { return e.Subject == string(d.Tier) || e.Detail["tier"] == string(d.Tier) }}
	case access.User:
		return search{"", []string{"user.changed", "user.renamed", "user.signed_in"}, named(d.Name)}
	}
	return search{of.ID, []string{"app", "release", "request"}, func(abi.Event) bool { return true }}
}

func matches(word, kind string) bool { return word == kind || strings.HasPrefix(kind, word+".") }

// mostChanges is how many changes of a document are shown of those that were made meanwhile.
const mostChanges = 10

// changes are the newest changes of a document after a revision, newest first, as far as the feed
// shows them to the reader. It does not search far.
func changes(tx state.Reader, actor access.Actor, at search, after abi.Rev, limit int) ([]abi.Event, error) {
	q := state.EventQuery{App: at.app, After: after, Newest: true, Limit: limit}
	for _, k := range abi.EventKinds() {
		if slices.ContainsFunc(at.kinds, func(word string) bool { return matches(word, k.Kind) }) {
			q.Kinds = append(q.Kinds, k.Kind)
		}
	}
	sees := apps.Eyes(tx, actor)
	found, _, err := tx.Events(q, func(e abi.Event) (bool, error) {
		if !at.about(e) {
			return false, nil
		}
		return sees(e)
	})
	return found, err
}

// lastChange says in words by whom, when and how a document was changed last.
func lastChange(tx state.Reader, actor access.Actor, at search) (string, error) {
	found, err := changes(tx, actor, at, 0, 1)
	if err != nil || len(found) == 0 {
		return "", err
	}
	e := found[0]
	return ", by " + e.By() + " at " + e.At.UTC().Format(time.RFC3339) + " (" + e.Kind + ")", nil
}
