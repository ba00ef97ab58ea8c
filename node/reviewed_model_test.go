package node_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/registry"
)

// draft is what a release of the model is made of.
type draft struct {
	bytes  string // what its module says
	digest registry.Digest
	quota  int      // of kv, in KiB; 0: not asked for
	names  []string // of secrets; none: not asked for
	class  string
	keep   bool
	fuel   int
	crons  int
}

func (d draft) manifest(app string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "name = %q\nversion = \"1\"\ntitle = \"x\"\ndescription = \"x\"\nowner = %q\nteam = \"t\"\ncost_center = \"c\"\ndata_classification = %q\nkeep_state = %v\n[limits]\nfuel = %d\n", app, ada, d.class, d.keep, d.fuel)
	if d.quota > 0 {
		fmt.Fprintf(&b, "[capabilities.kv]\nquota = \"%dKiB\"\n", d.quota)
	}
	if len(d.names) > 0 {
		fmt.Fprintf(&b, "[capabilities.secret]\nnames = [\"%s\"]\n", strings.Join(d.names, `", "`))
	}
	for i := range d.crons {
		fmt.Fprintf(&b, "[[triggers.cron]]\nname = \"h%d\"\nschedule = \"0 7 * * *\"\npath = \"/h%d\"\n", i, i)
	}
	return []byte(b.String())
}

// asks are the capabilities of a draft that no tier gives by default.
func (d draft) asks() (words []string) {
	if d.quota > 0 {
		words = append(words, "kv")
	}
	if len(d.names) > 0 {
		words = append(words, "secret")
	}
	return words
}

func (d draft) within(o draft, word string) bool {
	if word == "kv" {
		return d.quota <= o.quota
	}
	return !slices.ContainsFunc(d.names, func(n string) bool { return !slices.Contains(o.names, n) })
}

// decision is what a reviewer of the model decided, about what they had seen.
type decision struct {
	id, word      string // word "" for a promotion
	tier          abi.Tier
	release       int
	approve, gone bool // gone: what it granted was revoked
}

// reviewWorld is an app and all that was decided about it, in the words of the
// promise and not of the node.
type reviewWorld struct {
	n         *testNode
	app       string
	maker     context.Context
	reviewer  context.Context
	releases  []draft             // release 1 first
	seen      map[string]decision // requests as the reviewer saw them when they came
	decisions []decision
}

func (w *reviewWorld) draft(n int) draft { return w.releases[n-1] }

// look lets the reviewer read all requests that they have not seen yet.
func (w *reviewWorld) look(rt *rapid.T) {
	all, err := w.n.Requests(w.reviewer, control.RequestFilter{App: w.app}, control.Page{Limit: control.MaxPageLimit})
	if err != nil {
		rt.Fatal(err)
	}
	for _, q := range all.Items {
		was, known := w.seen[q.ID]
		is := decision{id: q.ID, word: q.Capability, tier: q.Tier, release: q.Release}
		if known && was != is {
			rt.Fatalf("%s was about %+v and is about %+v", q.ID, was, is)
		}
		if q.Digest != string(w.draft(q.Release).digest) {
			rt.Fatalf("%s names %s for release %d, which has %s", q.ID, q.Digest, q.Release, w.draft(q.Release).digest)
		}
		w.seen[q.ID] = is
	}
}

// allowed reports whether a release may have a capability in a tier: a decision was
// made about its digest, or the rule of the embedded policy leads from one to it.
func (w *reviewWorld) allowed(n int, tier abi.Tier, word string) bool {
	last := map[registry.Digest]bool{} // what was last decided about bytes
	for _, d := range w.decisions {
		if d.word == word {
			last[w.draft(d.release).digest] = d.approve
		}
	}
	to := w.draft(n)
	return slices.ContainsFunc(w.decisions, func(d decision) bool {
		from := w.draft(d.release)
		if d.word != word && !(d.word == "" && slices.Contains(from.asks(), word)) {
			return false
		}
		if !d.approve || d.gone || d.tier.Rank() < tier.Rank() {
			return false
		}
		if d.release == n {
			return true
		}
		verdict, judged := last[to.digest]
		return d.tier == abi.TierSandbox && d.word == word && n > d.release && to.within(from, word) && to.class == from.class &&
			(!to.keep || from.keep) && (!judged || verdict || to.digest == from.digest)
	})
}

func (w *reviewWorld) promoted(n int, tier abi.Tier) bool {
	return slices.ContainsFunc(w.decisions, func(d decision) bool { return d.word == "" && d.approve && d.tier == tier && d.release == n })
}

// check is the invariant: whatever is routed with more than the defaults was
// decided about, or is reached by the rule; and higher tiers serve what was promoted.
func (w *reviewWorld) check(rt *rapid.T) {
	labels := []string{w.app}
	for _, tier := range abi.Tiers() {
		labels = append(labels, string(tier)+"--"+w.app)
	}
	for n := range w.releases {
		labels = append(labels, fmt.Sprintf("r%d--%s", n+1, w.app))
	}
	for _, label := range labels {
		n, tier, links, err := w.n.Links(w.maker, label)
		if errors.Is(err, registry.ErrNotActive) || errors.Is(err, registry.ErrNotFound) {
			continue
		}
		if err != nil {
			rt.Fatalf("%s: %v", label, err)
		}
		for _, word := range links {
			if word != "config" && word != "log" && !w.allowed(n, tier, word) {
				rt.Fatalf("%s leads to release %d in the %s with %s, which no reviewer allowed\nreleases %+v\ndecisions %+v", label, n, tier, word, w.releases, w.decisions)
			}
		}
		if tier != abi.TierSandbox && !w.promoted(n, tier) {
			rt.Fatalf("%s leads to release %d, which was never promoted to %s", label, n, tier)
		}
	}
}

// TestReviewedModel does what owners and reviewers do, in any order: uploads with
// more and less, the same again, decisions by what was seen, late ones too,
// revocations, activations, rollbacks, promotions. No bytes get a grant or a tier
// that no reviewer decided about, but by the rule that the policy shows.
func TestReviewedModel(t *testing.T) {
	var n *testNode
	apps := 0
	rapid.Check(t, func(rt *rapid.T) {
		if apps%5 == 0 { // what many apps ask for makes each step slower
			n = start(t, func(o *node.Options) { o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil)) })
			n.rex() // is somebody who can vote
		}
		if apps++; apps > 20 && testing.Short() {
			return
		}
		w := &reviewWorld{
			n: n, app: fmt.Sprintf("model-%d", apps), seen: map[string]decision{},
			maker:    access.WithActor(context.Background(), access.Actor{User: ada, Roles: []access.Role{access.RoleDeveloper}}),
			reviewer: access.WithActor(context.Background(), access.Actor{User: rex, Roles: []access.Role{access.RoleReviewer}}),
		}
		w.upload(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"upload": w.upload, "decide": w.decide, "decide soon": w.decide, "revoke": w.revoke, "activate": w.activate, "roll back": w.rollBack,
			"promote": w.promote, "ask again": w.askAgain, "": w.check,
		})
	})
}

func (w *reviewWorld) upload(rt *rapid.T) {
	text := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "bytes")
	d := draft{
		bytes: text, digest: registry.DigestOf(says(text)),
		quota: rapid.SampledFrom([]int{0, 100, 200}).Draw(rt, "quota"), class: rapid.SampledFrom([]string{"internal", "internal", "confidential"}).Draw(rt, "class"),
		names: rapid.SampledFrom([][]string{nil, {"x"}, {"x", "y"}}).Draw(rt, "names"),
		keep:  rapid.IntRange(0, 5).Draw(rt, "keep") == 0, fuel: rapid.SampledFrom([]int{1000, 2000}).Draw(rt, "fuel"), crons: rapid.IntRange(0, 1).Draw(rt, "crons"),
	}
	p, err := w.n.Node.Enter(w.maker, d.manifest(w.app), says(d.bytes))
	if err != nil {
		rt.Fatal(err)
	}
	if p.Release.Number > len(w.releases) {
		w.releases = append(w.releases, d)
	}
	w.look(rt)
}

// decide decides about a request as it was seen, which may be long ago.
func (w *reviewWorld) decide(rt *rapid.T) {
	var ids []string
	for id := range w.seen {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		rt.Skip()
	}
	slices.Sort(ids)
	d := w.seen[rapid.SampledFrom(ids).Draw(rt, "request")]
	d.approve = rapid.IntRange(0, 3).Draw(rt, "approve") > 0
	_, err := w.n.Decide(w.reviewer, d.id, control.Verdict{Approve: d.approve, Reason: "because", Digest: string(w.draft(d.release).digest)})
	if err == nil {
		w.decisions = append(w.decisions, d)
	} else if !errors.Is(err, approvals.ErrAlreadyDecided) && !errors.Is(err, approvals.ErrChanged) && !errors.Is(err, registry.ErrNotApproved) {
		rt.Fatal(err)
	}
	w.look(rt)
}

func (w *reviewWorld) revoke(rt *rapid.T) {
	grants, err := w.n.Grants(w.reviewer, control.GrantFilter{App: w.app}, control.Page{Limit: control.MaxPageLimit})
	if err != nil {
		rt.Fatal(err)
	}
	if len(grants.Items) == 0 {
		rt.Skip()
	}
	g := rapid.SampledFrom(grants.Items).Draw(rt, "grant")
	all := rapid.Bool().Draw(rt, "all")
	done, err := w.n.RevokeGrant(w.reviewer, g.ID, "because", all)
	if err != nil {
		rt.Fatal(err)
	}
	if all && len(done.Still) > 0 {
		rt.Fatalf("all were revoked, and %v still hold", done.Still)
	}
	for i, d := range w.decisions {
		if d.word == g.Capability && (all || d.id == g.Request) {
			w.decisions[i].gone = true
		}
		// A promotion made several grants: the model keeps it until all are gone.
		if d.word == "" && d.id == g.Request && len(w.draft(d.release).asks()) == 1 {
			w.decisions[i].gone = true
		}
	}
}

func (w *reviewWorld) activate(rt *rapid.T) {
	n, tier := rapid.IntRange(1, len(w.releases)).Draw(rt, "release"), rapid.SampledFrom(abi.Tiers()).Draw(rt, "tier")
	_, err := w.n.Activate(w.maker, w.app, n, tier, "")
	if err != nil && !errors.Is(err, registry.ErrNotApproved) {
		rt.Fatal(err)
	}
	w.whole(rt, err, tier)
}

func (w *reviewWorld) rollBack(rt *rapid.T) {
	tier := rapid.SampledFrom(abi.Tiers()).Draw(rt, "tier")
	_, err := w.n.RollBack(w.maker, w.app, tier, "because")
	if err != nil && !errors.Is(err, registry.ErrNotApproved) && !errors.Is(err, registry.ErrNoPrevious) {
		rt.Fatal(err)
	}
	w.whole(rt, err, tier)
}

// whole: what a tier was routed to just now has all that it asks for.
func (w *reviewWorld) whole(rt *rapid.T, err error, tier abi.Tier) {
	if err != nil {
		return
	}
	n, _, links, err := w.n.Links(w.maker, string(tier)+"--"+w.app)
	if err != nil {
		rt.Fatal(err)
	}
	for _, word := range w.draft(n).asks() {
		if !slices.Contains(links, word) {
			rt.Fatalf("the %s was routed to release %d, which has no %s", tier, n, word)
		}
	}
}

func (w *reviewWorld) promote(rt *rapid.T) {
	n, tier := rapid.IntRange(1, len(w.releases)).Draw(rt, "release"), rapid.SampledFrom(abi.Tiers()[1:]).Draw(rt, "tier")
	if _, err := w.n.Promote(w.maker, w.app, n, tier, ""); err != nil && !errors.Is(err, approvals.ErrAlreadyRequested) {
		rt.Fatal(err)
	}
	w.look(rt)
}

func (w *reviewWorld) askAgain(rt *rapid.T) {
	n := rapid.IntRange(1, len(w.releases)).Draw(rt, "release")
	_, err := w.n.AskAgain(w.maker, w.app, n, "please")
	if err != nil && !errors.Is(err, approvals.ErrAlreadyRequested) && !errors.Is(err, approvals.ErrNothingToAsk) {
		rt.Fatal(err)
	}
	w.look(rt)
}
