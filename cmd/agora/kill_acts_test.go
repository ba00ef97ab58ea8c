package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/client"
)

// TestKillActs kills a node while it does what people decided, one act after the other. Afterwards the act is there
// with all its parts and its events, which are of one revision, or nothing of it is; and it is there if it was
// acknowledged. The same attempt again then succeeds, or says that it was served; a person who does it once more does
// it again or is told that it is done; and nothing of it is there twice. AGORA_KILLS says how often a node is killed;
// -run TestKillActs/quota has one act alone.
func TestKillActs(t *testing.T) {
	cycles, err := strconv.Atoi(os.Getenv("AGORA_KILLS"))
	if err != nil {
		cycles = len(acts)
	}
	if testing.Short() {
		cycles = 3
	}
	c := newCampaign(t)
	order := mathrand.Perm(len(acts))
	for cycle := range cycles {
		a := acts[order[cycle%len(acts)]]
		if !t.Run(a.name, func(t *testing.T) { c.killDuring(t, a, cycle) }) {
			return // what the next act relies on may not be there
		}
	}
	whole, none := 0, 0
	for _, a := range acts {
		n := c.outcomes(a)
		t.Logf("%-24s %3d whole, %3d not there", a.name, n.whole, n.none)
		whole, none = whole+n.whole, none+n.none
	}
	t.Logf("%d acts: %d whole, %d not there", whole+none, whole, none)
	c.end(t)
}

// act is a kind of what is there whole, or not at all.
type act struct {
	name string
	// takes is how long it takes until half of them are done, before any was seen.
	takes time.Duration
	// ready makes what the act needs, and returns one of its kind.
	ready func(k *killing) deed
}

// deed is one act.
type deed struct {
	by string // who does it; "": the node by itself
	do func(context.Context, *client.Client) error
	// due is when it can be done by the node that starts next, which is killed while it starts.
	due  time.Time
	from abi.Rev // nothing of it is in this revision or before; 0: in the last one before it is done
	// events are the kinds that it emits.
	events []string
	// parts reports of each part of the act whether it is there: once, where it could be there twice.
	parts func(k *killing) map[string]bool
	// again is the problem that a person is told who does it once more; "": it is done once more.
	again string
	// another: who does it once more makes another one.
	another bool
}

// campaign is a data directory whose node is killed again and again.
type campaign struct {
	dir    string
	flags  []string
	tokens map[string]string // of people
	of     map[string]*outcomes
}

// outcomes are what became of the acts of one kind.
type outcomes struct {
	whole, none int
	takes       time.Duration // half of them are done by then, as it was seen
}

func (o *outcomes) add(whole bool) {
	if whole {
		o.whole, o.takes = o.whole+1, o.takes*2/3
	} else {
		o.none, o.takes = o.none+1, o.takes*3/2
	}
}

func (c *campaign) outcomes(a act) *outcomes {
	if c.of[a.name] == nil {
		c.of[a.name] = &outcomes{takes: a.takes}
	}
	return c.of[a.name]
}

const (
	adaName = "ada@example.com" // operates, and owns the apps
	rexName = "rex@example.com" // reviews
	sueName = "sue@example.com" // reviews too
)

func newCampaign(t *testing.T) *campaign {
	t.Helper()
	rules := t.TempDir()
	text, err := os.ReadFile("../../approvals/rego/rules/data.json")
	if err != nil {
		t.Fatal(err)
	}
	// Grants of the pilot have an end, so that they can be certified and renewed.
	with := strings.Replace(string(text), `"grants": { "reach": "reviewed" }`, `"grants": { "reach": "reviewed", "days": 90, "certify_days": 60 }`, 1)
	if with == string(text) {
		t.Fatal("data.json says nothing of the pilot's grants")
	}
	if err := os.WriteFile(filepath.Join(rules, "data.json"), []byte(with), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &campaign{dir: t.TempDir(), flags: []string{"--keep-releases", "3", "--policy", rules}, of: map[string]*outcomes{}}
	p := launch(t, c.dir, c.flags...)
	ada := signIn(t, p)
	publishRelays(t, p, ada)
	if _, err := ada.PutUser(t.Context(), sueName, []string{"reviewer"}, false); err != nil {
		t.Fatal(err)
	}
	c.tokens = map[string]string{rexName: tokenOf(t, p, ada, rexName), sueName: tokenOf(t, p, ada, sueName)}
	p.kill(t)
	return c
}

// tokenOf is a token of a person, whom ada invites.
func tokenOf(t *testing.T, p *process, ada *client.Client, who string) string {
	t.Helper()
	link, err := ada.Invite(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	anybody, err := client.New(p.console, "")
	if err != nil {
		t.Fatal(err)
	}
	_, person, err := anybody.SignIn(t.Context(), link)
	if err != nil {
		t.Fatal(err)
	}
	made, err := person.NewToken(t.Context(), client.NewToken{Label: "acts", Hours: 24, Scopes: []string{"all"}})
	if err != nil {
		t.Fatal(err)
	}
	return made.Secret
}

// end looks at the whole after all kills.
func (c *campaign) end(t *testing.T) {
	t.Helper()
	k := &killing{T: t, campaign: c}
	k.launch()
	defer k.p.kill(t)
	healthy(t, got(k.ada().Doctor(t.Context()))(k))
	told := map[string]bool{}
	for _, n := range got(k.ada().Notices(t.Context(), false))(k) {
		of := fmt.Sprint(n.Rev, n.Kind, n.Text)
		if told[of] {
			t.Errorf("ada is told twice of %+v", n)
		}
		told[of] = true
	}
}

// killing is one cycle of a campaign.
type killing struct {
	*testing.T
	*campaign
	cycle  int
	p      *process
	people map[string]*client.Client // at the node that runs now
}

func (k *killing) launch() {
	k.Helper()
	k.p = launch(k.T, k.dir, k.flags...)
	k.people = map[string]*client.Client{adaName: signIn(k.T, k.p)}
	for who, token := range k.tokens {
		k.people[who] = got(client.New(k.p.console, token))(k)
	}
}

func (k *killing) ada() *client.Client { return k.people[adaName] }
func (k *killing) rex() *client.Client { return k.people[rexName] }

// got is what a call returned that has to go well.
func got[V any](v V, err error) func(k *killing) V {
	return func(k *killing) V {
		k.Helper()
		if err != nil {
			k.Fatal(err)
		}
		return v
	}
}

// reason tells what one cycle did from what the others did.
func (k *killing) reason() string { return fmt.Sprintf("cycle %d", k.cycle) }

// killDuring does an act, kills the node meanwhile, and looks at what is there.
func (c *campaign) killDuring(t *testing.T, a act, cycle int) {
	k, seen := &killing{T: t, campaign: c, cycle: cycle}, c.outcomes(a)
	k.launch()
	defer func() { k.p.kill(t) }()
	d := a.ready(k)
	from := cmp.Or(d.from, k.revision())
	w := &attempt{key: rand.Text()}
	killed := k.killMeanwhile(d, w, time.Duration(mathrand.Int64N(int64(2*seen.takes))))
	k.launch()
	if d.by == "" {
		k.eventually("the node does it by itself", func() bool { return len(k.emitted(d, from)) > 0 })
		k.agrees(d, from)
		seen.add(k.emitted(d, from)[0].At.Before(killed))
		return
	}
	whole := k.agrees(d, from)
	seen.add(whole)
	if !whole && w.acknowledged.Load() {
		t.Fatal("it was acknowledged and is not there")
	}
	if err := d.do(t.Context(), w.by(k.people[d.by], nil)); err != nil && !(whole && isSlug(err, "answer-lost")) {
		t.Fatalf("the same attempt again, of what was there before (%v): %v", whole, err)
	}
	if !k.agrees(d, from) {
		t.Fatal("after the same attempt again it is not there")
	}
	if err := d.do(t.Context(), k.people[d.by]); d.again == "" && err != nil || d.again != "" && !isSlug(err, d.again) {
		t.Fatalf("once more: %v, want the problem %q", err, d.again)
	}
	if d.again != "" {
		k.agrees(d, from)
	}
	if there, not := k.split(d); len(not) > 0 && !d.another {
		t.Fatalf("after it was done once more, %v are there once, and %v are not", there, not)
	}
}

// revision is the last one.
func (k *killing) revision() abi.Rev {
	k.Helper()
	return got(k.ada().First(1).FindEvents(k.Context(), client.EventFilter{Newest: true}))(k)[0].Rev
}

// killMeanwhile kills the node some time after a deed began, and returns when that was.
func (k *killing) killMeanwhile(d deed, w *attempt, after time.Duration) time.Time {
	k.Helper()
	done := make(chan struct{})
	if d.by != "" {
		ctx, cancel := context.WithCancel(k.Context())
		defer cancel()
		go func() {
			defer close(done)
			_ = d.do(ctx, w.by(k.people[d.by], cancel))
		}()
	} else {
		close(done)
		k.p.kill(k.T)
		time.Sleep(time.Until(d.due))
		k.p = &process{cmd: serving(k.T, k.dir, k.flags...)}
		if err := k.p.cmd.Start(); err != nil {
			k.Fatal(err)
		}
	}
	time.Sleep(after)
	k.p.kill(k.T)
	killed := time.Now()
	<-done
	return killed
}

// emitted are the events of a deed's kinds since a revision.
func (k *killing) emitted(d deed, from abi.Rev) []abi.Event {
	k.Helper()
	return got(k.ada().FindEvents(k.Context(), client.EventFilter{After: from, Kinds: d.events}))(k)
}

// split names the parts of a deed that are there, and those that are not.
func (k *killing) split(d deed) (there, not []string) {
	for part, is := range d.parts(k) {
		if is {
			there = append(there, part)
		} else {
			not = append(not, part)
		}
	}
	return there, not
}

// agrees reports whether a deed is there, and fails unless all its parts and events are, the events once and in one
// revision, or none is.
func (k *killing) agrees(d deed, from abi.Rev) bool {
	k.Helper()
	there, not := k.split(d)
	var kinds []string
	revs := map[abi.Rev]bool{}
	for _, e := range k.emitted(d, from) {
		kinds, revs[e.Rev] = append(kinds, e.Kind), true
	}
	slices.Sort(kinds)
	switch {
	case len(there) == 0 && len(kinds) == 0:
		return false
	case len(not) > 0 || len(revs) != 1 || !slices.Equal(kinds, slices.Sorted(slices.Values(d.events))):
		k.Fatalf("%v are there and %v are not, with the events %v of %d revisions; want all, with %v of one, or none", there, not, kinds, len(revs), d.events)
	}
	return true
}

func (k *killing) eventually(what string, is func() bool) {
	k.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			k.Fatalf("%s: not within 20 s", what)
		}
	}
}

// attempt sends writes with one key, and knows whether one was acknowledged.
type attempt struct {
	key          string
	acknowledged atomic.Bool
}

// by has a person make the attempt. broken is called when the connection is: nothing is sent again then.
func (w *attempt) by(person *client.Client, broken func()) *client.Client {
	return person.Over(roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodGet {
			r = r.Clone(r.Context())
			r.Header.Set("Idempotency-Key", w.key)
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err == nil && resp.StatusCode < 300 {
			w.acknowledged.Store(true)
		}
		if err != nil && broken != nil {
			broken()
		}
		return resp, err
	}))
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func isSlug(err error, slug string) bool {
	p, ok := errors.AsType[*client.Problem](err)
	return ok && p.Type == "/problems/"+slug
}
