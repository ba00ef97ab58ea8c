package persons_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/notices"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/persons"
	"github.com/agora-host/agora/state/statetest"
	"github.com/agora-host/agora/triggers"
)

// people are known by p0-0@x, p0-1@x … as they are renamed, and by p0@x where no one ever is.
const people = 3

var (
	renamed = regexp.MustCompile(`p(\d)-\d+@x`)
	former  = regexp.MustCompile(`,"former":\[[^\]]*\]`)
	signed  = regexp.MustCompile(`,"signed_as":"[^"]*"`)
)

// world is a store under test with the names that people have there.
type world struct {
	raw, store state.Store
	names      [people]string
	at         time.Time
}

func newWorld(t *rapid.T, suffix string) *world {
	w := &world{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	w.raw = statetest.NewMemory(func() time.Time { return w.at })
	w.store = persons.Over(w.raw)
	for i := range people {
		w.names[i] = fmt.Sprintf("p%d%s@x", i, suffix)
		w.update(t, "node", func(tx state.Tx) error {
			defer tx.Emit("user.changed", "", w.names[i], nil)
			return tx.PutUser(access.User{ID: fmt.Sprint("u_", i), Name: w.names[i]})
		})
	}
	return w
}

func (w *world) update(t *rapid.T, by string, change func(state.Tx) error) {
	if _, err := w.store.Update(context.Background(), by, change); err != nil {
		t.Fatal(err)
	}
}

// note tells a of what b did, and has it sent to both.
func (w *world) note(t *rapid.T, n int, a, b string) {
	err := w.store.Note(context.Background(), func(tx state.Notes) error {
		e := abi.Event{Rev: abi.Rev(n), At: w.at, Actor: b, Kind: []string{"user.changed", "app.transferred", "key.added", "release.published"}[n%4], Subject: a, Detail: map[string]string{"identity": a, "person": b}}
		if n%4 > 1 {
			e.Subject = "no person"
		}
		mail := notices.Delivery{Place: notices.Place{Channel: notices.Mail, To: a}, ID: notices.IDOf(e), Due: w.at}
		hook := notices.Delivery{Place: notices.Place{Channel: notices.Webhook, To: "a"}, ID: mail.ID, Event: &e, Due: w.at}
		return errors.Join(tx.PutNotice(notices.Notice{ID: mail.ID, Person: a, Event: e}), tx.PutDelivery(mail), tx.PutDelivery(hook),
			tx.DeleteNotice(b, "absent"), tx.DeleteDelivery(notices.Place{Channel: notices.Mail, To: b}, "absent"))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// act writes one record in which people are named.
func (w *world) act(tx state.Tx, what string, n int, a, b string) error {
	app, at := "shop", w.at
	detail := map[string]string{"identity": a, "from": b, "signer": a, "person": b, "co_owner": a, "was_co_owner": b, "reason": "by mail"}
	kind, subject := []string{"user.changed", "app.transferred", "key.added", "release.published"}[n%4], a
	if n%4 > 1 {
		subject = "no person"
	}
	tx.Emit(kind, app, subject, detail)
	switch what {
	case "app":
		return tx.PutApp(registry.App{
			Name: app, Owner: a, CoOwner: b, Suspension: &registry.Suspension{By: b}, Deletion: &registry.Deletion{By: a}, Offer: &registry.Offer{To: b, By: a},
		})
	case "removal":
		return tx.PutApp(registry.App{Name: "gone", Owner: a, Removal: &registry.Removal{By: b}})
	case "release":
		return tx.AddRelease(registry.Release{
			App: app, Number: n, Size: 5, Digest: registry.Digest(fmt.Sprint("d", n)), Manifest: registry.Manifest{Owner: a},
			Signer: registry.Signer{Identity: a, Method: registry.MethodIdentity}, CreatedBy: b, Charged: b,
		})
	case "charge":
		_ = tx.ChargeRelease(app, n, b)
		return nil
	case "unrelease":
		_ = tx.DeleteRelease(app, n)
		return nil
	case "activation":
		return tx.AddActivation(registry.Activation{App: app, Tier: abi.TierSandbox, Release: n, By: a, At: at})
	case "key":
		return tx.PutKey(registry.Key{Hint: fmt.Sprint("k", n), Identity: a, AddedBy: b})
	case "host":
		return tx.PutHostName(registry.HostName{Host: fmt.Sprint("h", n), App: app, By: a})
	case "certificate":
		return tx.PutCertificate(registry.Issued{Certificate: registry.Certificate{ID: fmt.Sprint("cert-", n), App: app, Owner: a, By: b}})
	case "request":
		q := approvals.Request{ID: fmt.Sprint("req-", n), Kind: approvals.KindGrant, App: app, Owner: a, CoOwner: b, By: b, Release: n, Status: approvals.StatusOpen, Reviewed: approvals.Terms{Signer: a}, Former: []string{b, "g_team"}, Votes: []approvals.Vote{{By: a}, {By: b, For: a}}}
		if n%2 == 0 {
			q.Status, q.Decision = approvals.StatusApproved, &approvals.Decision{By: b, For: a}
		}
		return tx.PutRequest(q)
	case "grant":
		return tx.PutGrant(approvals.Grant{ID: fmt.Sprint("g", n), App: app, By: a, ShrunkBy: b, RevokedBy: a, Reviewed: approvals.Terms{Signer: b}, Created: at})
	case "credential":
		return tx.PutCredential(access.Credential{ID: fmt.Sprint("c", n), Hash: fmt.Sprint("hash", n), Kind: access.KindToken, User: a, Created: at})
	case "delegation":
		from, err := tx.User(a)
		if err != nil {
			return err
		}
		from.Delegations, from.DecidesFor = []access.Delegation{{ID: fmt.Sprint("d_", n), To: b}}, []string{b}
		tx.Emit("delegation.made", "", a, map[string]string{"person": b})
		return tx.PutUser(from)
	case "links":
		return tx.PutLinks(access.Links{Off: n%2 == 0, By: a})
	case "quota":
		return tx.PutQuotaSetting(access.QuotaSetting{Quota: "apps", Per: []string{"person", "group"}[n%2], Of: []string{a, app}[n%2], By: b})
	case "unquota":
		return tx.DeleteQuotaSetting("person", a, "apps")
	case "provisioned":
		return tx.PutProvisioned(access.Provisioned{Provider: app, Person: a, External: "k", UserName: "x", Created: at})
	case "provisioning":
		return tx.PutProvisioning(access.Provisioning{Provider: app, By: a, Conflicts: []access.Conflict{{UserName: "x", Person: b}}})
	case "account":
		return tx.PutAccount(access.Account{ID: fmt.Sprint("a_", n), Provider: "p", User: a})
	case "secret":
		return tx.PutSecret(secrets.Secret{App: app, Name: "s1", By: a})
	case "group":
		return tx.PutGroup(access.Group{ID: app, Name: "Ops", Created: at})
	case "member":
		_ = tx.PutMember(app, a)
		return nil
	case "told":
		return tx.PutNoticeSettings(notices.Settings{Person: a, Mail: notices.Daily})
	case "unmember":
		return tx.DeleteMember(app, a)
	case "pause":
		return tx.PutPause(triggers.Pause{Ref: triggers.Ref{App: app, Kind: abi.TriggerCron, Name: "t"}, By: b})
	}
	return nil
}

// dump is all that a reader finds, in the names that people had at first.
func (w *world) dump(t *rapid.T) (text string) {
	err := w.store.View(context.Background(), func(r state.Reader) error {
		text = statetest.Dump(r, w.names[:]...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		if strings.Contains(line, `"u_`) && !strings.Contains(line, `{"id":"u_`) {
			t.Fatalf("an id is read: %s", line)
		}
	}
	text = signed.ReplaceAllString(former.ReplaceAllString(text, ""), "")
	return renamed.ReplaceAllString(text, "p$1@x")
}

// TestRenames: whatever is written before and after people are renamed, all that is read is as if they
// had had their names from the beginning; and nothing that is kept names them but their own records,
// and signatures.
func TestRenames(t *testing.T) {
	acts := []string{"app", "removal", "release", "release", "charge", "unrelease", "unrelease", "activation", "key", "host", "certificate", "request", "grant", "credential", "provisioned", "provisioning", "account", "links", "delegation", "quota", "quota", "unquota", "secret", "audience", "access request", "pause", "group", "member", "member", "unmember", "told", "notice", "notice", "event", "rename", "rename", "rename"}
	rapid.Check(t, func(rt *rapid.T) {
		is, never := newWorld(rt, "-0"), newWorld(rt, "")
		releases := map[int]bool{}
		for range rapid.IntRange(1, 25).Draw(rt, "acts") {
			what, n := rapid.SampledFrom(acts).Draw(rt, "what"), rapid.IntRange(1, 4).Draw(rt, "n")
			a, b := rapid.IntRange(0, people-1).Draw(rt, "a"), rapid.IntRange(0, people-1).Draw(rt, "b")
			if what == "release" && releases[n] {
				continue
			}
			releases[n] = (releases[n] || what == "release") && what != "unrelease"
			is.at, never.at = is.at.Add(time.Second), never.at.Add(time.Second)
			if what == "rename" {
				is.update(rt, is.names[b], func(tx state.Tx) error { return is.rename(tx, a) })
				never.update(rt, never.names[b], func(state.Tx) error { return nil })
				continue
			}
			for _, w := range []*world{is, never} {
				if what == "notice" {
					w.note(rt, n, w.names[a], w.names[b])
					continue
				}
				w.update(rt, w.names[b], func(tx state.Tx) error { return w.act(tx, what, n, w.names[a], w.names[b]) })
			}
		}
		if got, want := is.dump(rt), never.dump(rt); got != want {
			rt.Fatalf("after renames:\n%s\nwithout:\n%s", got, want)
		}
		is.namesNobody(rt)
	})
}

func (w *world) rename(tx state.Tx, p int) error {
	var n int
	if _, err := fmt.Sscanf(w.names[p], fmt.Sprintf("p%d-%%d@x", p), &n); err != nil {
		return err
	}
	to := fmt.Sprintf("p%d-%d@x", p, n+1)
	_, err := access.Rename(tx, w.names[p], to, w.at)
	w.names[p] = to
	return err
}

// namesNobody checks what is kept, below the names.
func (w *world) namesNobody(t *rapid.T) {
	err := w.raw.View(context.Background(), func(r state.Reader) error {
		for line := range strings.Lines(statetest.Dump(r, "u_0", "u_1", "u_2")) {
			line = signed.ReplaceAllString(line, "")
			if strings.ContainsAny(line[:1], `{"`) && renamed.MatchString(line) && !strings.Contains(line, `{"id":"u_`) {
				t.Fatalf("kept by name: %s", line)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
