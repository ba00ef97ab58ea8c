package node_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// described is a manifest that the rules let pass in every tier.
func described(app string) []byte {
	return manifest(app, `title = "App"`, `description = "Does what it does."`)
}

// withQuotas starts a node whose people may have little.
func withQuotas(t *testing.T, quotas ...string) *testNode {
	t.Helper()
	set, err := control.ParseQuotas(quotas)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, func(o *node.Options) { o.Quotas = set })
}

// overQuota checks that an error says which quota is used up, how much is used, how much may
// be, and what to do.
func overQuota(t *testing.T, err error, name string, used, limit int64) {
	t.Helper()
	p := problemOf(t, err)
	amounts := fmt.Sprintf("%d of %d", used, limit)
	if p.Type != "/problems/quota" || p.Status != 409 || !strings.Contains(p.Detail, `"`+name+`"`) || (!strings.Contains(p.Detail, amounts) && used >= 0) || p.Remedy.Summary == "" || p.Remedy.Commands[0] != "agora quotas list" {
		t.Errorf("%s: %+v", name, p)
	}
}

// TestEachQuota fills each quota: up to it all is well, one more is refused, and when
// something is given back one more is taken.
func TestEachQuota(t *testing.T) {
	n := withQuotas(t, "apps=2", "tokens=4", "keys=2", "requests=2", "app-secrets=2", "app-domains=2", "node-domains=3", "node-users=4", "app-releases=3")
	api := n.ada() // the first of four tokens
	ops := n.as(ops, access.RoleOperator)
	ctx := t.Context()
	upload := func(app, text string) error {
		module := says(text)
		_, err := api.Publish(ctx, described(app), module, signAs(t, api, module), nil)
		return err
	}
	var pems, hints []string
	var privates [][]byte
	for range 3 {
		private, public := keyPair(t)
		privates, pems = append(privates, private), append(pems, public)
	}
	addKey := func(i int) error {
		challenge, proof := n.prove(api, privates[i], "")
		k, err := api.AddKey(ctx, pems[i], "", challenge, proof)
		hints = append(hints, k.Hint)
		return err
	}
	var tokens []string
	newToken := func(int) error {
		token, err := api.NewToken(ctx, client.NewToken{Label: "x", Hours: 1})
		tokens = append(tokens, token.ID)
		return err
	}
	host := func(i int) error {
		_, err := ops.CreateDomain(ctx, fmt.Sprintf("h%d.example.com", i), "a0")
		return err
	}
	user := func(i int) error {
		_, err := ops.PutUser(ctx, fmt.Sprintf("u%d@example.com", i), []string{"viewer"}, false)
		return err
	}
	secret := func(i int) error {
		_, err := api.SetSecret(ctx, "a0", fmt.Sprintf("s%d", i), []byte("x"))
		return err
	}
	promote := func(i int) error {
		_, err := api.Promote(ctx, []string{"a0", "a0", "a1"}[i], 1, []abi.Tier{"pilot", "production", "pilot"}[i], "")
		return err
	}
	for _, k := range []struct {
		name  string
		had   int64
		limit int64
		add   func(i int) error
		give  func() error // nil: nothing is given back
	}{
		{"apps", 0, 2, func(i int) error { return upload(fmt.Sprintf("a%d", i), "one") }, nil},
		{"tokens", 1, 4, newToken, func() error { return api.RevokeToken(ctx, tokens[0]) }},
		{"keys", 0, 2, addKey, func() error { return api.DeleteKey(ctx, hints[0]) }},
		{"requests", 0, 2, promote, func() error { _, err := api.Withdraw(ctx, "req-1"); return err }},
		{"app-secrets", 0, 2, secret, func() error { return api.DeleteSecret(ctx, "a0", "s0") }},
		{"app-domains", 0, 2, host, func() error { return ops.DeleteDomain(ctx, "h0.example.com") }},
		{"node-users", 2, 4, user, nil},
		{"app-releases", 1, 3, func(i int) error { return upload("a0", fmt.Sprint("release ", i)) }, func() error { return api.DeleteRelease(ctx, "a0", 2) }},
	} {
		room := int(k.limit - k.had)
		for i := range room {
			if err := k.add(i); err != nil {
				t.Fatalf("%s: number %d of %d: %v", k.name, i+1, k.limit, err)
			}
		}
		overQuota(t, k.add(room), k.name, k.limit, k.limit)
		if k.give == nil {
			continue
		}
		if err := k.give(); err != nil {
			t.Fatalf("%s: %v", k.name, err)
		}
		if err := k.add(room); err != nil {
			t.Errorf("%s: what was given back has no room: %v", k.name, err)
		}
	}
	// What is there already may be changed at the limit.
	if err := errors.Join(secret(1), user(1), upload("a1", "two")); err != nil {
		t.Error(err)
	}
	// Two apps have two host names each, and the node three.
	if _, err := ops.CreateDomain(ctx, "x.example.com", "a1"); err != nil {
		t.Error(err)
	}
	_, err := ops.CreateDomain(ctx, "y.example.com", "a1")
	overQuota(t, err, "node-domains", 3, 3)
	n.healthy()
}

// TestModuleBytes: a person's modules have so many bytes, and an upload that has no room is
// refused before it is compiled.
func TestModuleBytes(t *testing.T) {
	size := int64(len(says("one")))
	n := withQuotas(t, fmt.Sprintf("module-bytes=%d", 2*size), fmt.Sprintf("node-module-bytes=%d", 3*size))
	api := n.ada()
	n.publish(api, manifest("one"), says("one"))
	n.publish(api, manifest("two"), says("two"))
	module, stages := says("six"), []string{}
	_, err := api.Publish(t.Context(), manifest("six"), module, signAs(t, api, module), func(s string) { stages = append(stages, s) })
	if overQuota(t, err, "module-bytes", -1, 0); slices.Contains(stages, "compiling") {
		t.Errorf("it was compiled: %v", stages)
	}
	bob := n.as("bob@example.com", access.RoleDeveloper)
	of := func(app string) []byte {
		return bytes.ReplaceAll(manifest(app), []byte(ada), []byte("bob@example.com"))
	}
	n.publish(bob, of("bobs"), says("six"))
	_, err = bob.Publish(t.Context(), of("bobs"), says("ten"), signAs(t, bob, says("ten")), nil)
	overQuota(t, err, "node-module-bytes", -1, 0)
	// What was refused is removed after it is told.
	n.eventually("six files are left, of three releases", func() bool { return n.blobs() == 6 })
	// The app's only release serves, and is not deleted.
	if p := problemOf(t, api.DeleteRelease(t.Context(), "two", 1)); p.Type != "/problems/release-in-use" || p.Status != 409 || !strings.Contains(p.Detail, "serves sandbox") {
		t.Errorf("%+v", p)
	}
	all, err := api.Quotas(t.Context(), "", "two")
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range all {
		if want, ok := map[string]int64{"module-bytes": 2 * size, "apps": 2, "releases": 2, "app-releases": 1}[q.Name]; ok && q.Used != want {
			t.Errorf("%+v, want %d", q, want)
		}
		if q.Per == "node" {
			t.Errorf("a developer is shown the node's: %+v", q)
		}
	}
	if _, err := api.Quotas(t.Context(), "bob@example.com", ""); problemOf(t, err).Status != 403 {
		t.Errorf("somebody else's quotas: %v", err)
	}
	if all, err := n.ops().Quotas(t.Context(), ada, ""); err != nil || !slices.ContainsFunc(all, func(q client.Quota) bool { return q.Name == "node-module-bytes" && q.Used == 3*size }) {
		t.Errorf("an operator sees %+v, %v", all, err)
	}
}

// blobs counts the files of modules and signatures.
func (n *testNode) blobs() (found int) {
	n.t.Helper()
	err := filepath.WalkDir(filepath.Join(n.dir, "blobs"), func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			found++
		}
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return found
}

// TestTwoAtTheLimit: of many that would take the last place at the same time, one gets it.
func TestTwoAtTheLimit(t *testing.T) {
	n := withQuotas(t, "apps=3", "tokens=5")
	api := n.ada()
	for _, k := range []struct {
		quota string
		room  int32
		add   func(i int) error
	}{
		{"apps", 3, func(i int) error {
			module := says("one")
			_, err := api.Publish(t.Context(), manifest(fmt.Sprintf("a%d", i)), module, signAs(t, api, module), nil)
			return err
		}},
		{"tokens", 4, func(int) error {
			_, err := api.NewToken(t.Context(), client.NewToken{Label: "x", Hours: 1})
			return err
		}},
	} {
		var added atomic.Int32
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				err := k.add(i)
				if err == nil {
					added.Add(1)
					return
				}
				if p, ok := errors.AsType[*client.Problem](err); !ok || p.Type != "/problems/quota" {
					t.Errorf("%s: %v", k.quota, err)
				}
			})
		}
		group.Wait()
		if added.Load() != k.room {
			t.Errorf("%s: %d were taken, %d had room", k.quota, added.Load(), k.room)
		}
	}
	n.healthy()
}

// TestExpiredTokensDoNotCount: a token that has ended makes room for another.
func TestExpiredTokensDoNotCount(t *testing.T) {
	var ahead atomic.Int64
	n := start(t, func(o *node.Options) {
		o.Quotas = control.Quotas{"tokens": 2}
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	if _, err := n.TokenFor(t.Context(), ada, "long", 24*time.Hour, access.RoleDeveloper); err != nil {
		t.Fatal(err)
	}
	if _, err := n.TokenFor(t.Context(), ada, "short", time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := n.TokenFor(t.Context(), ada, "more", time.Hour); err == nil || !strings.Contains(err.Error(), "2 of 2") {
		t.Errorf("a third: %v", err)
	}
	ahead.Store(int64(2 * time.Hour))
	if _, err := n.TokenFor(t.Context(), ada, "more", time.Hour); err != nil {
		t.Error(err)
	}
}

// TestOldestSessionEnds: signing in is never refused; the oldest session gives way, and so
// does the oldest link.
func TestOldestSessionEnds(t *testing.T) {
	n := start(t)
	n.ada()
	anybody, err := client.New(n.ConsoleURL(), "")
	if err != nil {
		t.Fatal(err)
	}
	var sessions []*client.Client
	for range 51 {
		link, err := n.Welcome(t.Context(), ada)
		if err != nil {
			t.Fatal(err)
		}
		_, signed, err := anybody.SignIn(t.Context(), link)
		if err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, signed)
	}
	for i, want := range map[int]bool{0: false, 1: true, 50: true} {
		if _, err := sessions[i].Whoami(t.Context()); (err == nil) != want {
			t.Errorf("session %d: %v", i, err)
		}
	}
	var links []string
	for range 11 {
		link, err := n.Welcome(t.Context(), ada)
		if err != nil {
			t.Fatal(err)
		}
		links = append(links, link)
	}
	for i, want := range map[int]bool{0: false, 1: true, 10: true} {
		if _, _, err := anybody.SignIn(t.Context(), links[i]); (err == nil) != want {
			t.Errorf("link %d: %v", i, err)
		}
	}
}

// TestLoweredQuota: what is over a quota that was lowered stays and can be changed, and does
// not grow.
func TestLoweredQuota(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), described("one"), says("one"))
	n.publish(n.ada(), described("two"), says("two"))
	n.stop()
	n = startIn(t, n.dir, func(o *node.Options) { o.Quotas = control.Quotas{"apps": 1} })
	n.publish(n.ada(), described("one"), says("three"))
	module := says("three")
	_, err := n.ada().Publish(t.Context(), described("three"), module, signAs(t, n.ada(), module), nil)
	overQuota(t, err, "apps", 2, 1)
	if got := n.get(n.AppURL("two")); got.Body != "two" {
		t.Errorf("%+v", got)
	}
}

func TestParseQuotas(t *testing.T) {
	all, err := control.ParseQuotas([]string{"apps=7", "module-bytes=2GiB", "keys=0"})
	if err != nil || all["apps"] != 7 || all["module-bytes"] != 2<<30 || len(all) != 3 {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := control.ParseQuotas(control.QuotaNames()); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for _, text := range []string{"", "apps", "apps=", "apps=-1", "apps=2GiB", "module-bytes=-1", "module-bytes=x", "appz=1", "apps=99999999999"} {
		if all, err := control.ParseQuotas([]string{text}); err == nil {
			t.Errorf("%q: %v", text, all)
		}
	}
	if _, err := node.New(t.Context(), node.Options{DataDir: t.TempDir(), Quotas: control.Quotas{"appz": 1}}); err == nil {
		t.Error("a node started with a quota that does not exist")
	}
}

// TestDiskReserve: below the reserve nothing new is taken in, and all else goes on; below
// half of it apps keep nothing more, and are served and billed.
func TestDiskReserve(t *testing.T) {
	const gib = 1 << 30
	n := start(t)
	p := n.publish(n.ada(), described("shop"), says("one"))
	text, module := example(t, "guestbook")
	book := n.publish(n.ada(), text, module)
	n.decide(book)
	api, operator := n.ada(), n.ops()
	two := says("two")
	bundle := signAs(t, api, two)
	sign := func() int {
		return n.do("POST", book.URL, "name=ada&text=hello", "Content-Type", "application/x-www-form-urlencoded", "Origin", strings.TrimSuffix(book.URL, "/")).Status
	}
	before := sign()
	n.SetDisk(gib-1, 100*gib) // a disk of 100 GiB keeps 5
	n.SetDisk(5*gib-1, 100*gib)
	if _, err := api.Publish(t.Context(), described("shop"), two, bundle, nil); problemOf(t, err).Type != "/problems/disk-reserve" || problemOf(t, err).Status != 507 {
		t.Errorf("publishing: %v", err)
	}
	if _, err := api.SetSecret(t.Context(), "shop", "x", []byte("x")); problemOf(t, err).Type != "/problems/disk-reserve" {
		t.Errorf("a secret: %v", err)
	}
	if _, err := api.Promote(t.Context(), "shop", 1, "pilot", ""); problemOf(t, err).Type != "/problems/disk-reserve" {
		t.Errorf("a request: %v", err)
	}
	if err := n.Snapshot(t.Context()); err == nil || !strings.Contains(err.Error(), "kept") {
		t.Errorf("a snapshot: %v", err)
	}
	if got := n.get(p.URL); got.Status != 200 {
		t.Errorf("an app: %+v", got)
	}
	if got := sign(); got != before {
		t.Errorf("an app that keeps something: %d, %d before", got, before)
	}
	if _, err := api.NewToken(t.Context(), client.NewToken{Label: "to make room with", Hours: 1}); err != nil {
		t.Errorf("a token: %v", err)
	}
	if _, err := api.Activate(t.Context(), "shop", 1, "sandbox", ""); err != nil {
		t.Errorf("a route: %v", err)
	}
	checks, err := operator.Doctor(t.Context())
	if i := slices.IndexFunc(checks, func(c client.Check) bool { return c.Name == "disk" }); err != nil || i < 0 || !strings.Contains(checks[i].Detail, "nearly full") {
		t.Errorf("the doctor: %+v, %v", checks, err)
	}

	n.SetDisk(5*gib/2-1, 100*gib)
	if got := n.get(p.URL); got.Status != 200 {
		t.Errorf("an app: %+v", got)
	}
	if got := sign(); got == before {
		t.Errorf("an app kept something: %d", got)
	}

	n.SetDisk(6*gib, 100*gib)
	if got := sign(); got != before {
		t.Errorf("an app that keeps something, with room again: %d", got)
	}
	if _, err := api.Publish(t.Context(), described("shop"), two, bundle, nil); err != nil {
		t.Errorf("publishing, with room again: %v", err)
	}
	// The uploader is told before the place is given back.
	n.eventually("nothing is set aside for uploads that ended", func() bool { return n.Taking() == 0 })
	n.healthy()
}

func TestDefaultReserve(t *testing.T) {
	const gib = 1 << 30
	for size, want := range map[int64]int64{0: 0, gib: gib / 5, 4 * gib: 4 * gib / 5, 8 * gib: gib, 100 * gib: 5 * gib, 10_000 * gib: 20 * gib} {
		if got := node.DefaultReserve(size); got != want {
			t.Errorf("of a disk of %d: %d, want %d", size, got, want)
		}
	}
}

// TestReleasesGo: the oldest release goes with its files when there are enough newer ones,
// an event says so, its bill stays, and what serves or is waited for stays.
func TestReleasesGo(t *testing.T) {
	n := start(t, func(o *node.Options) { o.KeepReleases = 2 })
	api, ctx := n.ada(), t.Context()
	upload := func(i int) client.Published {
		return n.publish(api, described("shop"), says(fmt.Sprint("release ", i)))
	}
	first := upload(1)
	n.get(first.URL)
	if _, err := api.Promote(ctx, "shop", 1, "pilot", ""); err != nil {
		t.Fatal(err)
	}
	for i := 2; i <= 5; i++ {
		upload(i)
	}
	numbers := func() (all []int) {
		t.Helper()
		releases, err := api.Releases(ctx, "shop")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range releases {
			all = append(all, r.Number)
			if len(r.Kept.Because) == 0 || r.Kept.Needed != (r.Number == 1 || r.Number == 5) {
				t.Errorf("release %d: %+v", r.Number, r.Kept)
			}
		}
		return all
	}
	if got := numbers(); !slices.Equal(got, []int{5, 4, 1}) {
		t.Errorf("there are %v", got)
	}
	if got := n.blobs(); got != 6 {
		t.Errorf("%d files, of three releases", got)
	}
	if p := problemOf(t, api.DeleteRelease(ctx, "shop", 1)); p.Type != "/problems/release-in-use" || !strings.Contains(p.Detail, "req-1") {
		t.Errorf("%+v", p)
	}
	if _, err := api.Withdraw(ctx, "req-1"); err != nil {
		t.Fatal(err)
	}
	if err := api.DeleteRelease(ctx, "shop", 1); err != nil {
		t.Error(err)
	}
	if err := n.as("bob@example.com", access.RoleDeveloper).DeleteRelease(ctx, "shop", 4); problemOf(t, err).Type != "/problems/not-owner" {
		t.Errorf("somebody else's release: %v", err)
	}
	for _, gone := range []int{1, 2, 7} {
		if err := api.DeleteRelease(ctx, "shop", gone); problemOf(t, err).Status != 404 {
			t.Errorf("release %d: %v", gone, err)
		}
	}
	if got := n.get(strings.Replace(first.URL, "//shop", "//r1--shop", 1)); got.Status != 404 {
		t.Errorf("the preview of a deleted release: %+v", got)
	}
	removed := 0
	events, err := api.Events(ctx, 0, 1000)
	for _, e := range events {
		if e.Kind == "release.removed" && strings.HasPrefix(e.Detail["digest"], "sha256:") && e.Detail["reason"] != "" {
			removed++
		}
	}
	if err != nil || removed != 3 {
		t.Errorf("%d removals are told, %v", removed, err)
	}
	report, err := api.Usage(ctx, client.UsageQuery{By: []string{"app", "release"}})
	if err != nil || !slices.ContainsFunc(report.Rows, func(r client.Row) bool { return r.Group["release"] == "1" && r.Calls == 1 }) {
		t.Errorf("the usage of release 1: %+v, %v", report.Rows, err)
	}
	// The number of a deleted release is not given again, and an upload that repeats it is new.
	if _, err := api.Activate(ctx, "shop", 4, "sandbox", ""); err != nil {
		t.Fatal(err)
	}
	if err := api.DeleteRelease(ctx, "shop", 5); err != nil {
		t.Fatal(err)
	}
	if p := upload(5); p.Release.Number != 6 || !p.Active {
		t.Errorf("%+v", p.Release)
	}
	n.healthy()
}

// TestSnapshotsKeepFiles: what a snapshot's state names is there until the snapshot is not.
func TestSnapshotsKeepFiles(t *testing.T) {
	n := start(t)
	api, ctx := n.ada(), t.Context()
	n.publish(api, described("shop"), says("one"))
	n.publish(api, described("shop"), says("two"))
	if err := n.Snapshot(ctx); err != nil {
		t.Fatal(err)
	}
	if err := api.DeleteRelease(ctx, "shop", 1); err != nil {
		t.Fatal(err)
	}
	if got := n.blobs(); got != 4 {
		t.Errorf("%d files, and a snapshot names 4", got)
	}
	size := int64(len(says("one")))
	if all, err := api.Quotas(ctx, "", ""); err != nil || !slices.ContainsFunc(all, func(q client.Quota) bool { return q.Name == "module-bytes" && q.Used == 2*size }) {
		t.Errorf("deleting made room that the disk does not have: %+v, %v", all, err)
	}
	n.stop()
	if _, _, err := node.RestoreSnapshot(ctx, n.dir, "latest"); err != nil {
		t.Fatal(err)
	}
	n = startIn(t, n.dir)
	if got := n.get(strings.Replace(n.AppURL("shop"), "//shop", "//r1--shop", 1)); got.Body != "one" {
		t.Errorf("a release of the snapshot: %+v", got)
	}
	n.healthy()
}

// TestBackupsKeepFiles: while a backup is made, whose state may name what is deleted
// meanwhile, no file goes; afterwards it does.
func TestBackupsKeepFiles(t *testing.T) {
	n := start(t)
	api := n.ada()
	n.publish(api, described("shop"), says("one"))
	n.publish(api, described("shop"), says("two"))
	release, err := n.HoldCopy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := api.DeleteRelease(t.Context(), "shop", 1); err != nil {
		t.Error(err)
	}
	if got := n.blobs(); got != 4 {
		t.Errorf("%d files while a backup is made, there were 4", got)
	}
	release()
	if err := n.Tidy(t.Context()); err != nil || n.blobs() != 2 {
		t.Errorf("%d files after it, %v", n.blobs(), err)
	}
}
