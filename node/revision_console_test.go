package node_test

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
)

var (
	formPattern  = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)"[^>]*>(.*?)</form>`)
	inputPattern = regexp.MustCompile(`<input ([^>]*)>`)
	textPattern  = regexp.MustCompile(`(?s)<textarea name="([^"]*)"[^>]*>\n?(.*?)</textarea>`)
	namePattern  = regexp.MustCompile(`\bname="([^"]*)"`)
	valuePattern = regexp.MustCompile(`\bvalue="([^"]*)"`)
	shownPattern = regexp.MustCompile(`^(none|\d+-[0-9a-f]{32})$`)
)

const sam = "sam@example.com"

// paper is a form of a page.
type paper struct {
	action string
	fields url.Values // as they are sent if nothing is typed
}

func forms(body string) (all []paper) {
	first := func(p *regexp.Regexp, in string) string {
		if m := p.FindStringSubmatch(in); m != nil {
			return html.UnescapeString(m[1])
		}
		return ""
	}
	for _, m := range formPattern.FindAllStringSubmatch(body, -1) {
		f := paper{html.UnescapeString(m[1]), url.Values{}}
		for _, in := range inputPattern.FindAllStringSubmatch(m[2], -1) {
			box := strings.Contains(in[1], `type="checkbox"`)
			name, value := first(namePattern, in[1]), first(valuePattern, in[1])
			if box && value == "" {
				value = "on"
			}
			if name != "" && (!box || strings.HasSuffix(in[1], "checked")) {
				f.fields.Add(name, value)
			}
		}
		for _, in := range textPattern.FindAllStringSubmatch(m[2], -1) {
			f.fields.Add(in[1], html.UnescapeString(in[2]))
		}
		all = append(all, f)
	}
	return all
}

// browsing is a person at the console.
type browsing struct {
	n      *testNode
	cookie string
}

func (b browsing) page(path string) string {
	b.n.t.Helper()
	got := b.n.do("GET", b.n.ConsoleURL()+path, "", "Cookie", b.cookie)
	if got.Status != http.StatusOK {
		b.n.t.Fatalf("%s: %d %s", path, got.Status, got.Body)
	}
	return got.Body
}

// form is the first form of a page with an action and, if named, a field's value.
func (b browsing) form(body, action string, with ...string) paper {
	b.n.t.Helper()
	for _, f := range forms(body) {
		if f.action == action && (len(with) == 0 || f.fields.Get(with[0]) == with[1]) {
			return f
		}
	}
	b.n.t.Fatalf("no form %s %v in %s", action, with, body)
	return paper{}
}

func (b browsing) send(f paper) answer {
	b.n.t.Helper()
	return b.n.do("POST", b.n.ConsoleURL()+f.action, f.fields.Encode(), "Cookie", b.cookie, "Content-Type", "application/x-www-form-urlencoded")
}

// TestFormsOverEachOther: of each kind of document, a form that was shown before another person's
// change is refused with that change and with what was typed, changes nothing, and can be sent again.
func TestFormsOverEachOther(t *testing.T) {
	n, ctx := start(t), t.Context()
	n.session(ada, access.RoleDeveloper)
	n.publish(n.ada(), manifest("shop"), says("one"))
	n.publish(n.ada(), manifest("shop"), says("two"))
	n.publish(n.ada(), manifest("shop"), says("three"))
	grant := n.ticking()
	asked := n.publish(n.ada(), manifest("asks", kvAsk), keeps(21)).Requests[0].ID
	if _, err := n.ops().PutUser(ctx, "eve@example.com", []string{"viewer"}, false); err != nil {
		t.Fatal(err)
	}
	pat := browsing{n, n.session("pat@example.com", access.Roles()...)}
	rival := n.as(sam, access.Roles()...)
	serves := func() int { return must(rival.App(ctx, "shop"))(t).Serving }
	for _, c := range []struct {
		name, path, action string
		with               []string // which of the forms with that action
		typed              url.Values
		meanwhile          func() error
		says               string     // a text that shows what changed
		now                func() any // what must not change by the refusal
		after              any        // what now returns after the form was sent again
	}{
		{
			name: "user", path: "/settings", action: "/settings/users", with: []string{"name", "eve@example.com"}, typed: url.Values{"role": {"reviewer", "operator"}, "disabled": {"on"}},
			meanwhile: func() error { return later(rival.PutUser(ctx, "eve@example.com", []string{"developer"}, false)) },
			says:      "roles: developer",
			now: func() any {
				u := must(rival.User(ctx, "eve@example.com"))(t)
				return strings.Join(u.Roles, " ") + map[bool]string{true: " disabled"}[u.Disabled]
			},
			after: "reviewer operator disabled",
		},
		{
			name: "new user", path: "/settings", action: "/settings/users", with: []string{"revision", "none"}, typed: url.Values{"name": {"new@example.com"}, "role": {"developer"}},
			meanwhile: func() error { return later(rival.PutUser(ctx, "new@example.com", []string{"operator"}, false)) },
			says:      "roles: operator",
			now:       func() any { return strings.Join(must(rival.User(ctx, "new@example.com"))(t).Roles, " ") },
			after:     "developer",
		},
		{
			name: "title", path: "/apps/shop", action: "/apps/shop/title", typed: url.Values{"title": {`"Pat's" <title>`}},
			meanwhile: func() error { return later(rival.Rename(ctx, "shop", "A rival's")) },
			says:      "A rival&#39;s",
			now:       func() any { return must(rival.App(ctx, "shop"))(t).Title },
			after:     `"Pat's" <title>`,
		},
		{
			name: "roll back", path: "/apps/shop", action: "/apps/shop/rollback", typed: url.Values{"reason": {"it is\nslow & wrong"}},
			meanwhile: func() error { return later(rival.RollBack(ctx, "shop", abi.TierSandbox, "slow")) },
			says:      "release 2 in sandbox",
			now:       func() any { return serves() },
			after:     1,
		},
		{
			name: "activate", path: "/apps/shop/releases/3", action: "/apps/shop/activate",
			meanwhile: func() error { return later(rival.Activate(ctx, "shop", 2, abi.TierSandbox, "")) },
			says:      "release 2 in sandbox",
			now:       func() any { return serves() },
			after:     3,
		},
		{
			name: "pause", path: "/apps/ticking", action: "/apps/ticking/triggers/pause",
			meanwhile: func() error { return later(rival.PauseTrigger(ctx, "ticking", "cron", "tick", true, "too loud")) },
			says:      "too loud",
			now:       func() any { return must(rival.Trigger(ctx, "ticking", "cron", "tick"))(t).PausedBy },
			after:     "pat@example.com",
		},
		{
			name: "decision", path: "/requests", action: "/requests/" + asked + "/decision", with: []string{"verdict", "reject"}, typed: url.Values{"reason": {"say what you keep"}},
			// Approved, it is closed; so what pat sent is refused once more, for that reason.
			meanwhile: func() error { return later(rival.Decide(ctx, asked, true, "fine")) },
			says:      "approved",
			now:       func() any { return string(must(rival.Request(ctx, asked))(t).Status) },
			after:     "approved",
		},
		{
			name: "revoke", path: "/grants", action: "/grants/" + grant + "/revoke", typed: url.Values{"reason": {"mine"}},
			meanwhile: func() error { return later(rival.RevokeGrant(ctx, grant, "theirs")) },
			says:      "theirs",
			now:       func() any { return must(rival.Grant(ctx, grant))(t).RevokedFor },
			after:     "theirs",
		},
		{
			name: "hand over", path: "/apps/shop", action: "/apps/shop/transfer", typed: url.Values{"to": {"pat@example.com"}, "reason": {"ada left"}},
			meanwhile: func() error { return later(rival.Transfer(ctx, "shop", sam, "I take it")) },
			says:      "Owner",
			now:       func() any { return must(rival.App(ctx, "shop"))(t).Owner },
			after:     "pat@example.com",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := pat.form(pat.page(c.path), c.action, c.with...)
			for name, values := range c.typed {
				f.fields[name] = values
			}
			if err := c.meanwhile(); err != nil {
				t.Fatal(err)
			}
			was := c.now()
			got := pat.send(f)
			if got.Status != http.StatusPreconditionFailed || !strings.Contains(got.Body, "changed while you looked") {
				t.Fatalf("sent over another's change: %d %s", got.Status, got.Body)
			}
			if now := c.now(); now != was {
				t.Errorf("refused, and made: %v, was %v", now, was)
			}
			for _, want := range []string{"by " + sam, c.says} {
				if !strings.Contains(got.Body, want) {
					t.Errorf("%q is not in %s", want, got.Body)
				}
			}
			if n := strings.Count(got.Body, "<li><strong>"); n != 1 {
				t.Errorf("%d changes are shown, not the one that was made meanwhile: %s", n, got.Body)
			}
			again := pat.form(got.Body, c.action)
			for name, values := range f.fields {
				if name != "revision" && !slices.Equal(again.fields[name], values) {
					t.Errorf("%s was %q when it was sent, and is %q", name, values, again.fields[name])
				}
			}
			pat.send(again)
			if now := c.now(); now != c.after {
				t.Errorf("sent again: %v, want %v", now, c.after)
			}
		})
	}
}

// later drops what a change returns beside its error.
func later[T any](_ T, err error) error { return err }

// TestOwnForms: forms whose documents have not changed are taken, one after the other, also where
// what changed is another document; a form with a damaged revision is refused.
func TestOwnForms(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), manifest("shop"), says("one"))
	n.publish(n.ada(), manifest("other"), says("two"))
	me := browsing{n, n.session(ops, access.RoleOperator)}
	f := me.form(me.page("/apps/shop"), "/apps/shop/title")
	if err := later(n.ops().Rename(t.Context(), "other", "Other")); err != nil {
		t.Fatal(err)
	}
	for _, title := range []string{"First", "Second"} {
		f.fields.Set("title", title)
		if got := me.send(f); got.Status != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", title, got.Status, got.Body)
		}
		f = me.form(me.page("/apps/shop"), "/apps/shop/title")
	}
	for _, damaged := range []string{"1", "1-", "x-abc", `1-a"b`, "-abc", strings.Repeat("9", 30) + "-abc"} {
		f.fields.Set("revision", damaged)
		if got := me.send(f); got.Status != http.StatusBadRequest {
			t.Errorf("revision %q: %d", damaged, got.Status)
		}
	}
}

// TestEveryFormHasARevision: each form of each page is about a document and carries the revision it
// was shown with, or is one of those of which two people cannot undo each other's work.
func TestEveryFormHasARevision(t *testing.T) {
	n := start(t)
	n.fill()
	n.ticking()
	n.session("all@example.com", access.Roles()...)
	if err := n.offered(t.Context()); err != nil {
		t.Fatal(err)
	}
	free := []*regexp.Regexp{
		// They make something, or end what is one's own.
		regexp.MustCompile(`^/requests/[^/]+/comments$`),
		regexp.MustCompile(`^/(sign-in|sign-out|upload|settings/(tokens|keys|users/invite|sessions|delegations)(/[^/]+/revoke|/delete|/[^/]+/end|/end)?)$`),
		// What they name is there or not.
		regexp.MustCompile(`^/(settings/domains(/delete)?|apps/[^/]+/(releases/\d+/delete|dead-letters/\d+/(delete|redeliver)|secrets/[^/]+/delete|triggers/run))$`),
		regexp.MustCompile(`^/apps/[^/]+/secrets$`),  // no page shows a secret's value
		regexp.MustCompile(`^/grants/[^/]+/shrink$`), // what is taken off is found as the act is done
	}
	held := map[string]bool{}
	for _, who := range []string{ada, "all@example.com"} {
		me := browsing{n, n.session(who, access.Roles()...)}
		for _, path := range []string{"/", "/apps/hello", "/apps/shop", "/apps/relay", "/apps/ticking", "/apps/old", "/apps/hello/releases/1", "/apps/shop/releases/1", "/requests", "/grants", "/settings", "/upload"} {
			for _, f := range forms(me.page(path)) {
				if revision := f.fields.Get("revision"); shownPattern.MatchString(revision) {
					held[regexp.MustCompile(`/(req-\d+|grant-\d+|[a-z]+)/`).ReplaceAllString(f.action, "/…/")] = true
				} else if !slices.ContainsFunc(free, func(p *regexp.Regexp) bool { return p.MatchString(f.action) }) {
					t.Errorf("%s: the form %s has the revision %q", path, f.action, revision)
				}
			}
		}
	}
	if len(held) < 12 {
		t.Errorf("only %d kinds of forms carry a revision: %v", len(held), held)
	}
}

// offered has an app offered, one suspended and one deleted, so that their forms are shown.
func (n *testNode) offered(ctx context.Context) error {
	if err := later(n.ada().Transfer(ctx, "hello", "all@example.com", "")); err != nil {
		return err
	}
	return later(n.ada().DeleteApp(ctx, "shop", ""))
}
