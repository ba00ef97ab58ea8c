package control_test

import (
	"slices"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
)

const me, other = "me@example.com", "other@example.com"

// mine is a group that I am in.
const mine = "g_mine"

// roleSets are all sets of roles.
func roleSets() (all [][]access.Role) {
	for i := range 1 << len(access.Roles()) {
		var set []access.Role
		for n, r := range access.Roles() {
			if i>>n&1 == 1 {
				set = append(set, r)
			}
		}
		all = append(all, set)
	}
	return all
}

// lives are apps in every state of their life.
func lives() (all []registry.App) {
	now := time.Now()
	for _, owners := range []registry.App{{Owner: me}, {Owner: other}, {Owner: other, CoOwner: me}, {Owner: other, Group: mine}, {Owner: other, CoOwner: "third@example.com", Group: "g_theirs"}} {
		for _, offered := range []string{"", me, "third@example.com"} {
			for _, held := range []registry.Authority{"", registry.ByOwner, registry.ByReviewer, registry.ByOperator} {
				for stage := range 12 {
					if stage >= 4 && (held == registry.ByOwner || held == registry.ByReviewer || offered == "third@example.com") {
						continue // what a quarantine stands above makes no difference
					}
					a := owners
					a.Name, a.Active = "shop", map[abi.Tier]int{}
					if offered != "" {
						a.Offer = &registry.Offer{To: offered, By: a.Owner}
					}
					if held != "" {
						a.Suspension = &registry.Suspension{Authority: held}
					}
					if stage == 8 || held != "" && stage == 0 {
						a.Maintenance = &registry.Maintenance{By: a.Owner}
					}
					switch stage / 4 {
					case 1:
						a.Quarantine = &registry.Quarantine{Authority: registry.ByReviewer}
					case 2:
						a.Quarantine = &registry.Quarantine{Authority: registry.ByOperator}
					}
					switch stage % 4 {
					case 1:
						a.Deletion = &registry.Deletion{Until: now.Add(time.Hour)}
					case 2:
						a.Removal = &registry.Removal{Began: now}
					case 3:
						a.Removal = &registry.Removal{Began: now, Done: now}
					}
					all = append(all, a)
				}
			}
		}
	}
	return all
}

// byMachine is what the state machine of apps says of an act by a person.
func byMachine(act access.Act, p registry.Party, a registry.App) (err error) {
	switch act {
	case access.SuspendApp:
		_, err = a.Suspend(p, me, "why", time.Now())
	case access.ResumeApp:
		_, err = a.Resume(p)
	case access.EndMaintenance:
		_, err = a.EndMaintenance(p)
	case access.QuarantineApp:
		_, err = a.SetQuarantine(p, me, "why", time.Now())
	case access.EndQuarantine:
		_, err = a.EndQuarantine(p, time.Now())
	case access.DeleteApp:
		_, err = a.Delete(p, registry.Deletion{})
	case access.UndeleteApp:
		_, err = a.Undelete(p)
	case access.ShareApp:
		_, err = a.ShareWith(p, "third@example.com", "g_new")
	case access.AcceptOffer:
		_, err = a.Accept(me)
	case access.EndOffer:
		_, err = a.EndOffer(p, me)
	case access.TransferApp:
		if p.Owner {
			_, err = a.OfferTo(p, registry.Offer{To: "new@example.com"})
		} else {
			_, err = a.HandOver(p, "new@example.com")
		}
	}
	return err
}

// TestTableAndMachineAgree: the table of who may do what allows an act on an app exactly if the actor has
// a role for it and the state machine of package registry, which was written apart, takes it.
func TestTableAndMachineAgree(t *testing.T) {
	acts := []access.Act{access.EndMaintenance, access.ShareApp, access.SuspendApp, access.ResumeApp, access.QuarantineApp, access.EndQuarantine, access.DeleteApp, access.UndeleteApp, access.AcceptOffer, access.EndOffer, access.TransferApp}
	for i, app := range lives() {
		if testing.Short() && i%16 != 0 { // the whole run asks about all
			continue
		}
		for _, roles := range roleSets() {
			actor := access.Actor{User: me, Roles: roles, Groups: []string{mine}}
			p := registry.Party{Owner: app.Owner == me, Shares: app.CoOwner == me || app.Group == mine, Reviewer: actor.Has(access.RoleReviewer), Security: actor.Has(access.RoleReviewer), Operator: actor.Has(access.RoleOperator)}
			for _, act := range acts {
				machine := byMachine(act, p, app)
				want := machine == nil && access.Require(actor, access.Door(act)...) == nil
				if got := control.MayApp(actor, act, app); (got == nil) != want {
					t.Fatalf("%v to %s %+v: %v, and the machine says %v", roles, act, app, got, machine)
				}
				if shown := slices.Contains(control.AppActs(actor, app), string(act)); shown != want {
					t.Fatalf("%v is shown %s %+v: %v", roles, act, app, shown)
				}
			}
		}
	}
}

// TestTableAndApprovalsAgree about who decides: not whom the request is of.
func TestTableAndApprovalsAgree(t *testing.T) {
	for _, roles := range roleSets() {
		actor := access.Actor{User: me, Roles: roles, Groups: []string{mine}}
		for _, owners := range []approvals.Request{{Owner: me}, {Owner: other}, {Owner: other, CoOwner: me}, {Owner: other, Group: mine}, {Owner: other, Group: "g_theirs"}} {
			for _, by := range []string{me, other} {
				for _, status := range []approvals.Status{approvals.StatusOpen, approvals.StatusApproved, approvals.StatusRejected, approvals.StatusWithdrawn} {
					q := owners
					q.App, q.By, q.Status = "shop", by, status
					want := q.DecidableBy(control.PersonOf(actor)) && actor.Has(access.RoleReviewer)
					if got := access.May(actor, access.DecideRequest, control.OfRequest(q)); (got == nil) != want {
						t.Fatalf("%v decides %+v: %v", roles, q, got)
					}
				}
			}
		}
	}
}
