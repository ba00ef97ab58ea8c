package access_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/access"
)

var update = flag.Bool("update", false, "write golden files")

// who is an actor as the oracle sees one: a set of roles, each for everything or for one group's apps.
type who struct {
	viewer, developer, reviewer, finance, auditor, operator bool

	for_ string // the group whose apps the roles are for; "" for all
	only access.Concern
}

func (w who) member() bool {
	return w.viewer || w.developer || w.reviewer || w.finance || w.auditor || w.operator
}

func (w who) roles() (all []access.Role) {
	for i, has := range []bool{w.viewer, w.developer, w.reviewer, w.finance, w.auditor, w.operator} {
		r := access.Roles()[i]
		if r == access.RoleReviewer && w.only != "" {
			r += "/" + access.Role(w.only)
		}
		if w.for_ != "" {
			r += "@" + access.Role(w.for_)
		}
		if has {
			all = append(all, r)
		}
	}
	return all
}

// everyWho lists those with no role, with one, with two and with all, for everything and for one group.
func everyWho() (all []who) {
	sets := []int{0, 63}
	for i := range 6 {
		for j := range i + 1 {
			sets = append(sets, 1<<i|1<<j)
		}
	}
	for _, i := range sets {
		for _, group := range []string{"", mine} {
			w := who{i&1 > 0, i&2 > 0, i&4 > 0, i&8 > 0, i&16 > 0, i&32 > 0, group, ""}
			if all = append(all, w); w.reviewer {
				w.only = access.ConcernPrivacy
				all = append(all, w)
			}
		}
	}
	return all
}

// at is who the actor is for a resource: with the roles that count there.
func (w who) at(group string) who {
	if w.for_ == "" || w.for_ == group {
		return w
	}
	return who{}
}

const me, other = "me@example.com", "other@example.com"

// mine is a group that I am in.
const mine = "g_mine"

// onApp says in plain words who may do what to an app. It is written apart from the table, from what
// each flow asked before there was one.
func onApp(act access.Act, whoever who, on access.Resource) bool {
	w, member := whoever.at(on.Group), whoever.member()
	does := member && whoever.roles()[0].Word() != "auditor" || len(whoever.roles()) > 1
	sole, there := on.Owner == me, on.Stage == access.Alive
	alive := there && on.Quarantined == ""
	security := w.reviewer && (w.only == "" || w.only == access.ConcernSecurity)
	own := sole || on.CoOwner == me || on.Group == mine
	looksInto := own || w.reviewer || w.auditor || w.operator
	change := w.developer && own || w.operator
	give := w.developer && sole || w.operator
	switch act {
	case access.FindApp:
		return on.Serves || member || own
	case access.ReadApp:
		return member || own
	case access.ReadReleases:
		return member
	case access.CallApp:
		return does
	case access.ReadUsage:
		return own || w.viewer || w.reviewer || w.finance || w.auditor || w.operator
	case access.ReadLog, access.ReadCalls:
		return looksInto
	case access.AskAccess:
		return true
	case access.ReadSource, access.ReadEvents, access.ReadDeadLetters, access.ReadCertificate, access.ListSecrets, access.ReadAudience, access.ReadBriefing:
		return member && own || w.reviewer || w.auditor || w.operator
	case access.Publish:
		return w.developer && (own || w.operator) && there
	case access.AskReview:
		return w.developer && (own || w.operator) && alive
	case access.ReadAppWorkloads:
		return own || w.auditor || w.operator
	case access.SetSecrets:
		return change && there
	case access.QuarantineApp:
		return on.Stage != access.Gone && (on.Quarantined == "" && (security || w.operator) || on.Quarantined == "reviewer" && w.operator)
	case access.EndQuarantine:
		return on.Stage != access.Gone && !own && (on.Quarantined == "reviewer" && (security || w.operator) || on.Quarantined == "operator" && w.operator)
	case access.Route, access.DeleteRelease, access.RunTriggers, access.RenameApp, access.SetAudience, access.MaintainApp, access.GrantEmergency:
		return change && alive
	case access.EndMaintenance:
		return change && alive && on.Maintained
	case access.TransferApp:
		return give && alive || there && w.operator && !own
	case access.DeleteApp, access.ShareApp:
		return give && alive
	case access.UndeleteApp:
		return give && on.Stage == access.Deleting && on.Quarantined == ""
	case access.ReduceGrant:
		return w.reviewer || (does && own || w.operator) && there
	case access.SuspendApp:
		high := map[string]int{"": 0, "owner": 1, "reviewer": 2, "operator": 3}
		as := ""
		switch {
		case own && (w.developer || w.reviewer || w.operator):
			as = "owner"
		case own:
		case w.operator:
			as = "operator"
		case w.reviewer:
			as = "reviewer"
		}
		return alive && high[as] > high[on.SuspendedBy]
	case access.ResumeApp:
		by := on.SuspendedBy
		return alive && by != "" && (w.operator || by == "owner" && own && (w.developer || w.reviewer) || by == "reviewer" && w.reviewer && !own)
	case access.AcceptOffer:
		return (w.developer || w.operator) && alive && on.OfferedTo == me
	case access.EndOffer:
		return (w.developer || w.operator) && alive && on.OfferedTo != "" && (sole || w.operator || on.OfferedTo == me)
	}
	panic("the oracle knows nothing of " + act)
}

// onOthers does the same for requests, persons and the node.
func onOthers(act access.Act, w who, on access.Resource) bool {
	own := on.Owner == me || on.CoOwner == me || on.Kind == access.OnRequest && on.Group == mine
	does := w.member() && w.roles()[0].Word() != "auditor" || len(w.roles()) > 1
	everywhere, there := w.at("g_none"), w.at(on.Group)
	switch act {
	case access.ReadRequest, access.ReadCatalogue, access.ReadGroup:
		return w.member()
	case access.CheckModule:
		return does
	case access.CommentRequest:
		return !on.Closed && (there.reviewer || does && (own || on.By == me))
	case access.AnswerRequest:
		return !on.Closed && does && (own || on.By == me)
	case access.DecideRequest, access.AskChanges, access.CertifyGrant:
		mayOf := w.only == "" || slices.Equal(on.Concerns, []access.Concern{w.only})
		if len(on.Stages) > 0 {
			mayOf = w.only == "" || slices.Contains(on.Stages, w.only) || slices.Contains(on.Stages, "")
		}
		before := slices.Contains(on.Former, me) || slices.Contains(on.Former, mine)
		return there.reviewer && mayOf && (!on.Closed || act == access.CertifyGrant) && !own && !before && on.By != me
	case access.WithdrawRequest:
		return there.developer && (!on.Closed || on.Waits) && (own || on.By == me) || on.Closed && on.Waits && (there.reviewer || there.operator)
	case access.ReadMembers:
		return on.Group == mine || everywhere.auditor || everywhere.operator
	case access.ReadQuotas:
		return own || everywhere.finance || everywhere.auditor || everywhere.operator
	case access.ManageAccounts, access.ManageSessions:
		return own || everywhere.operator
	case access.ReadMemberships, access.ExplainAccess, access.ReadAccounts:
		return own || everywhere.auditor || everywhere.operator
	case access.ReadServiceAccounts:
		return own || everywhere.auditor || everywhere.operator
	case access.ManageServiceAccount:
		return own && does || everywhere.operator
	case access.ReadPersonsEvents:
		return everywhere.operator || everywhere.auditor || own && w.member()
	case access.ManageTokens, access.ReadNotices:
		return own
	case access.Delegate:
		return own && w.reviewer
	case access.ReadDelegations:
		return own && w.member() || everywhere.auditor || everywhere.operator
	case access.EndDelegations:
		return own && w.reviewer || everywhere.operator
	case access.Sign:
		return own && w.developer
	case access.ManageKeys:
		return own && w.developer || everywhere.operator
	case access.ReadPerson, access.ReadNodeEvents:
		return everywhere.auditor || everywhere.operator
	case access.ReadWorkloads:
		return everywhere.auditor || everywhere.operator
	case access.ManageGroup, access.ManagePerson, access.SetQuotas, access.Operate:
		return everywhere.operator
	case access.LookAround:
		return true
	case access.ReadAllUsage:
		return everywhere.viewer || everywhere.reviewer || everywhere.finance || everywhere.auditor || everywhere.operator
	case access.Develop:
		return w.developer
	case access.Review:
		return w.reviewer
	}
	panic("the oracle knows nothing of " + act)
}

// everyResource lists resources of a kind in each state that a rule could ask for.
func everyResource(kind access.Kind) (all []access.Resource) {
	people := []string{me, other}
	owners := []access.Resource{{Owner: me}, {Owner: other}}
	if kind == access.OnApp || kind == access.OnRequest {
		owners = append(owners, access.Resource{Owner: other, CoOwner: me}, access.Resource{Owner: other, Group: mine}, access.Resource{Owner: other, CoOwner: "third@example.com", Group: "g_others"})
	}
	for _, r := range owners {
		r.Kind = kind
		switch kind {
		case access.OnApp:
			r.Name = "shop"
			for _, r.Serves = range []bool{false, true} {
				for _, r.Stage = range []access.Stage{access.Alive, access.Deleting, access.Gone} {
					for _, r.SuspendedBy = range []string{"", "owner", "reviewer", "operator"} {
						for _, r.OfferedTo = range []string{"", me, other} {
							r.Maintained = r.Serves == (r.SuspendedBy == "")
							all = append(all, r)
							if !r.Serves || r.SuspendedBy != "" || r.OfferedTo == other {
								continue // what a quarantine stands above makes no difference
							}
							for _, by := range []string{"reviewer", "operator"} {
								held := r
								held.Quarantined = by
								all = append(all, held)
							}
						}
					}
				}
			}
		case access.OnRequest:
			r.Name = "shop"
			for _, r.By = range people {
				for _, state := range [][2]bool{{}, {true}, {true, true}} {
					r.Closed, r.Waits = state[0], state[1]
					for _, r.Concerns = range [][]access.Concern{nil, {access.ConcernPrivacy}, {access.ConcernPrivacy, access.ConcernFinance}} {
						all = append(all, r)
					}
				}
			}
			if r.Owner == me || r.CoOwner != "" {
				continue
			}
			r.By, r.Closed, r.Waits, r.Concerns = other, false, false, []access.Concern{access.ConcernPrivacy, access.ConcernFinance}
			for _, r.Stages = range [][]access.Concern{nil, {access.ConcernPrivacy}, {access.ConcernSecurity}, {access.ConcernFinance, ""}} {
				for _, r.Former = range [][]string{nil, {me}, {mine}, {other, "g_others"}} {
					all = append(all, r)
				}
			}
		case access.OnGroup:
			for _, r.Group = range []string{"", mine, "g_others"} {
				all = append(all, r)
			}
		default:
			all = append(all, r)
		}
	}
	return all
}

// TestMay compares the table with the oracle, for every act, every set of roles and every state of
// what it is about; and Acts, Allowed, Door and the kinds of errors with May.
func TestMay(t *testing.T) {
	for _, rule := range access.Rules() {
		oracle := onOthers
		if rule.On == access.OnApp {
			oracle = onApp
		}
		for i, on := range everyResource(rule.On) {
			if testing.Short() && i%16 != 0 { // the whole run asks about all
				continue
			}
			for _, w := range everyWho() {
				actor := access.Actor{User: me, Roles: w.roles(), Groups: []string{"g_also", mine, "g_third"}}
				want := oracle(rule.Act, w, on)
				err := access.May(actor, rule.Act, on)
				if want != (err == nil) {
					t.Fatalf("%+v %s %+v: %v, want %v", w, rule.Act, on, err, want)
				}
				if access.Allowed(actor, rule.Act, on) != want || slices.Contains(access.Acts(actor, on), rule.Act) != want {
					t.Fatalf("%+v %s %+v: Allowed and Acts are not as May", w, rule.Act, on)
				}
				refusedRightly(t, actor, rule, on, err)
			}
		}
	}
}

// TestMayInPlaceOf: a reviewer decides what another whom it does not concern may, and nothing but that.
func TestMayInPlaceOf(t *testing.T) {
	of := func(name string, roles ...access.Role) access.Actor { return access.Actor{User: name, Roles: roles} }
	me := of(me, "reviewer/finance")
	for _, on := range everyResource(access.OnRequest) {
		for _, by := range []access.Actor{of("third@example.com", "reviewer/privacy"), of("third@example.com", "reviewer"), of("fourth@example.com", "reviewer@g_others"), of("fourth@example.com", "reviewer")} {
			with := me
			with.For = []access.Actor{by}
			for _, act := range []access.Act{access.DecideRequest, access.AskChanges} {
				mine := access.Allowed(of(me.User, "reviewer"), act, on) // as far as it depends on who I am
				want := access.Allowed(me, act, on) || mine && access.Allowed(by, act, on)
				if got := access.Allowed(with, act, on); got != want || (access.May(with, act, on) == nil) != want {
					t.Fatalf("%s in the place of %+v about %+v: %v, want %v", act, by, on, got, want)
				}
			}
			for _, act := range []access.Act{access.ReadRequest, access.CommentRequest, access.WithdrawRequest, access.AnswerRequest} {
				if access.Allowed(with, act, on) != access.Allowed(me, act, on) {
					t.Fatalf("%s is not decided by a delegation: %+v", act, on)
				}
			}
		}
	}
}

// refusedRightly checks the reason of a refusal, and that it is in the order that May promises.
func refusedRightly(t *testing.T, actor access.Actor, rule access.Rule, on access.Resource, err error) {
	t.Helper()
	if err == nil {
		if access.Require(actor, access.Door(rule.Act)...) != nil {
			t.Fatalf("%+v may %s, and not pass its door", actor, rule.Act)
		}
		for what, a := range map[string]access.Actor{"nobody": {Roles: actor.Roles}, "bound": {User: actor.User, Roles: actor.Roles, Groups: actor.Groups, Reach: access.Reach{Apps: []string{"next"}}}} {
			refusal := access.May(a, rule.Act, on)
			if what == "nobody" && !errors.Is(refusal, access.ErrUnauthenticated) || what == "bound" && on.Name != "" && !errors.Is(refusal, access.ErrScope) {
				t.Fatalf("%s %s %+v: %v", what, rule.Act, on, refusal)
			}
		}
		return
	}
	kinds := 0
	for _, kind := range []error{access.ErrForbidden, access.ErrNotOwner, access.ErrNotOffered, access.ErrOwnRequest, access.ErrNotNow} {
		if errors.Is(err, kind) {
			kinds++
		}
	}
	if kinds != 1 {
		t.Fatalf("%+v %s %+v: %v is %d kinds of error", actor, rule.Act, on, err, kinds)
	}
	if access.Require(actor, access.Door(rule.Act)...) != nil && !errors.Is(err, access.ErrForbidden) {
		t.Fatalf("%+v has not the role to %s: %v", actor, rule.Act, err)
	}
	if errors.Is(err, access.ErrNotNow) && rule.Act != access.FindApp && on.Kind == access.OnApp && access.May(actor, access.ReadApp, on) != nil && on.Owner != me && on.CoOwner != me && on.Group != mine && on.OfferedTo != me {
		t.Fatalf("a stranger is told of the state: %v", err)
	}
}

// TestMayKnowsItsActs: an act about another kind of thing is a bug, and found at once.
func TestMayKnowsItsActs(t *testing.T) {
	for _, c := range []struct {
		act access.Act
		on  access.Resource
	}{{access.ReadLog, access.TheNode}, {"fly", access.TheNode}, {access.Operate, access.App("shop", me)}} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.HasPrefix(fmt.Sprint(r), "BUG: ") {
					t.Errorf("%s on %s: %v", c.act, c.on.Kind, r)
				}
			}()
			_ = access.May(access.Actor{User: me}, c.act, c.on)
		}()
	}
}

// TestRefusalsInWords: what a refusal says is what the person needs to know next.
func TestRefusalsInWords(t *testing.T) {
	dev := access.Actor{User: me, Roles: []access.Role{access.RoleDeveloper}}
	shop := access.App("shop", other)
	shared, theirs, ofOthers := shop, shop, shop
	ofOthers.Group = "g_others"
	shared.CoOwner, theirs.CoOwner = me, "third@example.com"
	dying := access.App("shop", me)
	dying.Stage = access.Deleting
	for _, c := range []struct {
		act  access.Act
		on   access.Resource
		want string
	}{
		{access.SetSecrets, shop, `app "shop" belongs to other@example.com, and you are me@example.com: it belongs to another person`},
		{access.ReadLog, shop, `the log of "shop" is for its owner other@example.com, reviewers, auditors and operators: not allowed`},
		{access.ReadUsage, shop, `the usage of "shop" is for its owner other@example.com, viewers, reviewers, finance, auditors and operators: not allowed`},
		{access.ReadQuotas, access.Person(other), `the quotas of other@example.com are for other@example.com, finance, auditors and operators: not allowed`},
		{access.ManageKeys, access.Person(other), `that is for other@example.com and operators: not allowed`},
		{access.DeleteApp, shared, `app "shop" belongs to other@example.com; you own it with them, and this is the owner's alone: it belongs to another person`},
		{access.ReadLog, theirs, `the log of "shop" is for its owner other@example.com and those who own it, too, reviewers, auditors and operators: not allowed`},
		{access.SetSecrets, ofOthers, `your role is for the apps of one group, and "shop" is of none of them: not allowed`},
		{access.Operate, access.TheNode, `me@example.com needs the role operator, which an operator can give: not allowed`},
		{access.SetSecrets, dying, `"shop" does not allow you to set and delete its secrets unless it is alive: its state does not allow that`},
	} {
		who := dev
		if c.on.Group != "" {
			who.Roles = []access.Role{"developer@" + mine}
		}
		if err := access.May(who, c.act, c.on); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v", c.act, err)
		}
	}
}

// TestAccessTable keeps the table in docs/access.md true.
func TestAccessTable(t *testing.T) {
	const file, begin, end = "../docs/access.md", "<!-- the table: go test ./access -run TestAccessTable -update -->\n", "<!-- end of the table -->"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(raw), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatal("docs/access.md has no marks around the table")
	}
	var b strings.Builder
	kind := access.Kind("")
	for _, r := range access.Rules() {
		if r.On != kind {
			kind = r.On
			fmt.Fprintf(&b, "\n### To %s\n\n| act | who may, and when |\n|---|---|\n", map[access.Kind]string{access.OnApp: "an app", access.OnRequest: "a request", access.OnPerson: "a person", access.OnGroup: "a group", access.OnNode: "the node"}[kind])
		}
		self := ""
		if r.InPerson {
			self = " *In person.*"
		}
		if r.Afresh {
			self += " *Freshly signed in.*"
		}
		fmt.Fprintf(&b, "| **%s**: %s | %s |\n", r.Act, r.What, strings.Join(r.Who, "; ")+self)
	}
	want := before + begin + b.String() + "\n" + end + after
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(raw) {
		t.Errorf("%s is not what the table in access/may.go says: run go test ./access -run TestAccessTable -update", file)
	}
}
