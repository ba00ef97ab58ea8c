package registry

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Move is a line of the table of an app's life: who may do an act in a state, and where it leads.
type Move struct {
	From string // a state and, of an app that others stopped, in whose name
	Act  string
	Who  []string
	To   State
}

// parties are the people of the table, by what they are to an app and nothing else.
var parties = []struct {
	words string
	party Party
}{
	{"its owner", Party{Owner: true}},
	{"its co-owner and group", Party{Shares: true}},
	{"a reviewer of security", Party{Reviewer: true, Security: true}},
	{"another reviewer", Party{Reviewer: true}},
	{"an operator", Party{Operator: true}},
	{"an owner who is an operator", Party{Owner: true, Operator: true}},
}

// acts are what people do to an app as a whole, in the order of the table.
var acts = []struct {
	name string
	try  func(a App, p Party, now time.Time) (App, error)
}{
	{"maintain", func(a App, p Party, now time.Time) (App, error) {
		return a.Maintain(p, Maintenance{By: "who", At: now})
	}},
	{"unmaintain", func(a App, p Party, _ time.Time) (App, error) { return a.EndMaintenance(p) }},
	{"suspend", func(a App, p Party, now time.Time) (App, error) { return a.Suspend(p, "who", "why", now) }},
	{"resume", func(a App, p Party, _ time.Time) (App, error) { return a.Resume(p) }},
	{"quarantine", func(a App, p Party, now time.Time) (App, error) { return a.SetQuarantine(p, "who", "why", now) }},
	{"unquarantine", func(a App, p Party, now time.Time) (App, error) { return a.EndQuarantine(p, now) }},
	{"offer to another", func(a App, p Party, now time.Time) (App, error) {
		return a.OfferTo(p, Offer{To: "another", By: "who", At: now})
	}},
	{"hand over", func(a App, p Party, _ time.Time) (App, error) { return a.HandOver(p, "another") }},
	{"say who owns it, too", func(a App, p Party, _ time.Time) (App, error) { return a.ShareWith(p, "another", "") }},
	{"delete", func(a App, p Party, now time.Time) (App, error) {
		return a.Delete(p, Deletion{By: "who", At: now, Until: now.Add(time.Hour)})
	}},
	{"undelete", func(a App, p Party, _ time.Time) (App, error) { return a.Undelete(p) }},
}

// situations are apps in each state of the table, as they came there.
func situations(now time.Time) (all []App) {
	app := App{Name: "app", Owner: "owner", CoOwner: "co-owner", Group: "group"}
	all = append(all, app)
	with := func(change func(*App)) {
		a := app
		change(&a)
		all = append(all, a)
	}
	with(func(a *App) { a.Maintenance = &Maintenance{By: "who", At: now} })
	for _, by := range []Authority{ByOwner, ByReviewer, ByOperator} {
		with(func(a *App) { a.Suspension = &Suspension{By: "who", Authority: by, At: now} })
	}
	for _, by := range []Authority{ByReviewer, ByOperator} {
		with(func(a *App) { a.Quarantine = &Quarantine{By: "who", Authority: by, At: now} })
	}
	with(func(a *App) { a.Deletion = &Deletion{By: "owner", At: now, Until: now.Add(time.Hour)} })
	with(func(a *App) { a.Removal = &Removal{By: "owner", Began: now} })
	with(func(a *App) { a.Removal = &Removal{By: "owner", Began: now, Done: now} })
	return all
}

// situation is where an app stands, and in whose name others stopped it.
func (a App) situation() string {
	words := string(a.State())
	switch a.State() {
	case StateSuspended:
		words += " by " + a.Suspension.Authority.words()
	case StateQuarantined:
		words += " by " + a.Quarantine.Authority.words()
	}
	return strings.Replace(words, "by an owner", "by its owner", 1)
}

// Moves is the table of an app's life: what is not in it is refused. It is read off the state machine, by
// trying each act by everybody in each state.
func Moves() (all []Move) {
	now := time.Unix(1e9, 0)
	for _, a := range situations(now) {
		for _, act := range acts {
			m := Move{From: a.situation(), Act: act.name}
			for _, p := range parties {
				after, err := act.try(a, p.party, now)
				if err == nil {
					m.Who, m.To = append(m.Who, p.words), after.State()
				}
			}
			if len(m.Who) > 0 {
				all = append(all, m)
			}
		}
	}
	return all
}

// MovesTable is Moves in Markdown.
func MovesTable() string {
	var b strings.Builder
	b.WriteString("| state | act | who may | then it is |\n|---|---|---|---|\n")
	last := ""
	for _, m := range Moves() {
		from := m.From
		if from == last {
			from = ""
		}
		last = m.From
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", from, m.Act, strings.Join(slices.Clone(m.Who), ", "), m.To)
	}
	return b.String()
}
