package node_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control/governance"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// livesBy starts a node whose clock a test moves, and of which the sandbox's grants live as a rule has it, such as
// `"days": 90`.
func livesBy(t *testing.T, rule string) (*testNode, *atomic.Int64) {
	t.Helper()
	dir := reviewed(t)
	at := filepath.Join(dir, "data.json")
	text, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	more := strings.Replace(string(text), `"grants": { "reach": "later"`, `"grants": { `+rule+`, "reach": "later"`, 1)
	if more == string(text) {
		t.Fatal("data.json says nothing of the sandbox's grants")
	}
	if err := os.WriteFile(at, []byte(more), 0o600); err != nil {
		t.Fatal(err)
	}
	var later atomic.Int64
	return start(t, func(o *node.Options) {
		o.PolicyDir = dir
		o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	}), &later
}

// swept has the node look at the clocks of requests and grants.
func (n *testNode) swept() {
	n.t.Helper()
	if err := governance.NewClocks(n.Governance, nil).Sweep(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
}

// TestGrantUntil: a reviewer says until when a grant holds. Its owners are told before it ends and after, once each;
// asked for anew in time it goes on without a gap, and at the moment of its end nothing is allowed any more.
func TestGrantUntil(t *testing.T) {
	n, later := livesBy(t, `"days": 90`)
	ctx := t.Context()
	rule, err := n.ada().Tiers(ctx)
	if err != nil || rule[0].Grants.Days != 90 || rule[0].Grants.Reach != "later" || rule[1].Grants.Days != 0 {
		t.Fatalf("%+v, %v", rule[0].Grants, err)
	}
	keeper := wasmtest.Relay{Capability: "kv"}
	p := n.publish(n.ada(), manifest("shop", kvAsk), keeper.Bytes())
	r, q := &relayed{n, keeper, p.URL}, p.Requests[0]
	approve := func(q client.Request, until time.Time) (client.Request, error) {
		return n.rex().Vote(ctx, q.ID, client.Verdict{Approve: true, Until: until})
	}
	for why, until := range map[string]time.Time{"is over": time.Now().Add(-time.Hour), "90 days at most": time.Now().AddDate(0, 0, 91)} {
		if _, err := approve(q, until); problemOf(t, err).Type != "/problems/bad-approval-request" || !strings.Contains(problemOf(t, err).Detail, why) {
			t.Errorf("until %s: %v", until, err)
		}
	}
	if _, err := n.rex().Vote(ctx, q.ID, client.Verdict{Reason: "no", Until: time.Now().Add(time.Hour)}); problemOf(t, err).Type != "/problems/bad-approval-request" {
		t.Errorf("a rejection with an end: %v", err)
	}
	end := time.Now().AddDate(0, 0, 30).UTC().Truncate(time.Second)
	if q, err = approve(q, end); err != nil || q.Decision == nil || !q.Decision.Until.Equal(end) {
		t.Fatalf("%+v, %v", q, err)
	}
	one := "grant-" + strings.TrimPrefix(q.ID, "req-")
	at := func(before time.Duration) { later.Store(int64(time.Until(end) - before)); n.swept() }
	at(20 * 24 * time.Hour)
	if !r.sets("a") || count(n.notices(ada), "grant.ending") != 0 {
		t.Error("it does not hold, or its owner is told too early")
	}
	for _, days := range []int{14, 14, 10, 1, 1} {
		at(time.Duration(days)*24*time.Hour - time.Minute)
	}
	if told := n.isTold(ada, "grant.ending"); !strings.Contains(told.Text, "kv to shop in sandbox ends on "+end.Format("2006-01-02 15:04 UTC")) || !strings.Contains(told.Todo, "agora grants renew "+one) {
		t.Errorf("%+v", told)
	}
	eventually(t, "both are told", func() bool { return count(n.notices(ada), "grant.ending") == 2 })

	next, err := n.ada().RenewGrant(ctx, one, "it sells")
	if err != nil || next.Renews != one || next.Capability != "kv" || next.Params["quota"] != "102400" {
		t.Fatalf("%+v, %v", next, err)
	}
	if _, err := n.ada().RenewGrant(ctx, one, ""); problemOf(t, err).Type != "/problems/already-requested" {
		t.Errorf("asked twice: %v", err)
	}
	if page := (browsing{n, n.session(rex, access.RoleReviewer)}).page("/requests"); !strings.Contains(page, `It asks for <a href="/grants#`+one) || !strings.Contains(page, `type="date" name="until"`) {
		t.Error(page)
	}
	if _, err := approve(next, time.Time{}); err != nil {
		t.Fatal(err)
	}
	two := "grant-" + strings.TrimPrefix(next.ID, "req-")
	at(-time.Second)
	if !r.sets("b") {
		t.Error("there is a gap between the grant and its renewal")
	}
	g, err := n.ada().Grant(ctx, two)
	if err != nil || g.Expires.Sub(g.Created) != 90*24*time.Hour {
		t.Fatalf("%+v, %v", g, err)
	}
	if _, err := n.ada().RenewGrant(ctx, one, ""); problemOf(t, err).Type != "/problems/nothing-to-ask" {
		t.Errorf("renewed what was renewed: %v", err)
	}
	end = g.Expires
	at(time.Minute)
	if !r.sets("c") {
		t.Error("it does not hold until its end")
	}
	later.Store(int64(time.Until(end))) // no one looks, and no event comes
	if r.sets("d") {
		t.Error("it is honoured after its end")
	}
	n.swept()
	if told := n.isTold(ada, "grant.ended"); !strings.Contains(told.Text, "has ended: it was granted until then") {
		t.Errorf("%+v", told)
	}
	if count(n.notices(ada), "grant.ended") != 1 {
		t.Errorf("told of the end of what goes on, or twice: %+v", n.notices(ada))
	}
	page := (browsing{n, n.session(ada, access.RoleDeveloper)}).page("/grants")
	if !strings.Contains(page, `<tr id="`+two) || !strings.Contains(page, "/grants/"+two+"/renew") {
		t.Error(page)
	}
	if _, err := n.as("eve@example.com", access.RoleDeveloper).RenewGrant(ctx, two, ""); problemOf(t, err).Type != "/problems/not-owner" {
		t.Errorf("another person asks for it: %v", err)
	}
}

// TestCertify: where the rules say so, a grant ends unless a reviewer of what it is about, who owns nothing of the
// app, says that it is still needed. They are told before that, and so are its owners.
func TestCertify(t *testing.T) {
	n, later := livesBy(t, `"days": 100, "certify_days": 60`)
	ctx := t.Context()
	n.as("safe@example.com", "reviewer/security")
	keeper := wasmtest.Relay{Capability: "kv"}
	p := n.publish(n.ada(), manifest("shop", kvAsk), keeper.Bytes())
	n.decide(p)
	id := "grant-" + strings.TrimPrefix(p.Requests[0].ID, "req-")
	g, err := n.ada().Grant(ctx, id)
	if err != nil || g.Expires.Sub(g.Created) != 60*24*time.Hour || g.Until.Sub(g.Created) != 100*24*time.Hour {
		t.Fatalf("%+v, %v", g, err)
	}
	later.Store(int64(50 * 24 * time.Hour))
	n.swept()
	for _, person := range []string{ada, rex} {
		if told := n.isTold(person, "grant.certification_due"); !strings.Contains(told.Text, "unless a reviewer certifies it") {
			t.Errorf("%+v", told)
		}
	}
	if count(n.notices("safe@example.com"), "grant.certification_due") != 0 {
		t.Error("a reviewer of something else is told")
	}
	if _, err := n.ada().CertifyGrant(ctx, id, "mine"); problemOf(t, err).Status != 403 {
		t.Errorf("its owner: %v", err)
	}
	if _, err := n.as("safe@example.com", "reviewer/security").CertifyGrant(ctx, id, "it is safe"); problemOf(t, err).Status != 403 {
		t.Errorf("a reviewer of something else: %v", err)
	}
	if _, err := n.rex().CertifyGrant(ctx, id, " "); problemOf(t, err).Type != "/problems/reason-missing" {
		t.Errorf("without a reason: %v", err)
	}
	if page := (browsing{n, n.session(rex, access.RoleReviewer)}).page("/grants"); !strings.Contains(page, "/grants/"+id+"/certify") || !strings.Contains(page, "unless certified") {
		t.Error(page)
	}
	if g, err = n.rex().CertifyGrant(ctx, id, "it still sells"); err != nil || !g.Expires.Equal(g.Until) || g.CertifiedBy != rex {
		t.Fatalf("beyond the end that it was given, or not at all: %+v, %v", g, err)
	}
	n.isTold(ada, "grant.certified")
	if _, err := n.rex().CertifyGrant(ctx, id, "again"); problemOf(t, err).Type != "/problems/nothing-to-certify" {
		t.Errorf("%v", err)
	}
	r := &relayed{n, keeper, p.URL}
	later.Store(int64(61 * 24 * time.Hour))
	if !r.sets("a") {
		t.Error("it was certified, and does not hold")
	}
	later.Store(int64(101 * 24 * time.Hour))
	if r.sets("b") {
		t.Error("it holds beyond its end")
	}
	if _, err := n.rex().CertifyGrant(ctx, id, "again"); problemOf(t, err).Type != "/problems/grant-ended" {
		t.Errorf("%v", err)
	}
}

// TestUnusedGrantLapses: where the rules say so, a grant that no call has used for as long ends; its owners are told
// two weeks before, and after; what is used stays.
func TestUnusedGrantLapses(t *testing.T) {
	n, _ := livesBy(t, `"unused_days": 28`)
	ctx := t.Context()
	keeper := wasmtest.Relay{Capability: "kv"}
	used, idle := n.relay("used", keeper, kvAsk), n.relay("idle", keeper, kvAsk)
	var ran time.Duration
	clocks := governance.NewClocks(n.Governance, func() time.Duration { return ran })
	for day := range 50 {
		ran += 24 * time.Hour
		if day%7 == 0 && !used.sets("a") {
			t.Fatal("what is used has lapsed")
		}
		if day == 2 && !idle.sets("a") {
			t.Fatal("it does not hold")
		}
		if err := clocks.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		if day > 33 && idle.sets("b") {
			t.Fatalf("on day %d it has not lapsed", day)
		}
	}
	if told := n.isTold(ada, "grant.lapsing"); !strings.Contains(told.Text, "kv to idle in sandbox ends about ") || !strings.Contains(told.Text, "nothing has used it since "+time.Now().UTC().Format("2006-")) {
		t.Errorf("%+v", told)
	}
	if told := n.isTold(ada, "grant.ended"); !strings.Contains(told.Text, "kv to idle in sandbox has ended: nothing has used it since") {
		t.Errorf("%+v", told)
	}
	if all := n.notices(ada); count(all, "grant.lapsing") != 1 || count(all, "grant.ended") != 1 {
		t.Errorf("%+v", all)
	}
	grants, err := n.ada().FindGrants(ctx, client.GrantFilter{App: "idle"})
	if err != nil || len(grants) != 1 || grants[0].RevokedBy != "node" {
		t.Fatalf("%+v, %v", grants, err)
	}
	q, err := n.ada().RenewGrant(ctx, grants[0].ID, "it is needed once a year")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.rex().Decide(ctx, q.ID, true, "fine"); err != nil || !idle.sets("c") {
		t.Errorf("it does not come back: %v", err)
	}
}
