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
	case apps.TriggerFace:
		return search{d.Ref.App, []string{"trigger.paused", "trigger.resumed", "release", "request", "grant"}, named(d.Ref.Name, "release", "request", "grant")}
	case access.User:
		return search{"", []string{"user.changed", "user.renamed", "user.signed_in"}, named(d.Name)}
	}
	return search{of.ID, []string{"app", "release", "request"}, func(abi.Event) bool { return true }}
}

func matches(word, kind string) bool { return word == kind || strings.HasPrefix(kind, word+".") }

// lastChange says who changed a document last and when, as far as the feed tells the reader. It looks
// at the newest events, and does not search far.
func lastChange(tx state.Reader, actor access.Actor, at search) (string, error) {
	q := state.EventQuery{App: at.app, Newest: true, Limit: 1}
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
	if err != nil || len(found) == 0 {
		return "", err
	}
	e := found[0]
	return ", by " + e.Actor + " at " + e.At.UTC().Format(time.RFC3339) + " (" + e.Kind + ")", nil
}
