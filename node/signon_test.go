package node_test

import (
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"context"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// audiences has a node's apps be for whom they are where nothing is set.
func audiences(o *node.Options) { o.Audience = "" }

// guest is a browser without a window: it keeps cookies, follows redirects and the pages that lead on,
// and says what browsers say when a person opens an address.
type guest struct {
	*http.Client
	n     *testNode
	trail []string // of addresses
	sent  []*http.Request
}

func (n *testNode) guest() *guest {
	jar, err := cookiejar.New(nil)
	if err != nil {
		n.t.Fatal(err)
	}
	v := &guest{n: n}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", n.Addr().String())
	}
	v.Client = &http.Client{
		Jar: jar, Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: dial},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return v
}

// seen is what a guest was shown at last.
type seen struct {
	status int
	header http.Header
	body   string
	at     string
}

// do sends one request, as a navigation unless the header says otherwise.
func (v *guest) do(method, address, form string, header ...string) seen {
	v.n.t.Helper()
	r, err := http.NewRequestWithContext(v.n.t.Context(), method, address, strings.NewReader(form))
	if err != nil {
		v.n.t.Fatal(err)
	}
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if len(header) == 0 {
		header = []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none"}
		if method == "POST" {
			header[7] = "same-origin"
		}
	}
	for i := 0; i+1 < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	v.trail = append(v.trail, address)
	resp, err := v.Do(r)
	if err != nil {
		v.n.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		v.n.t.Fatal(err)
	}
	v.sent = append(v.sent, resp.Request)
	return seen{resp.StatusCode, resp.Header, string(raw), address}
}

// open opens an address and goes on to where it leads.
func (v *guest) open(address string) seen {
	v.n.t.Helper()
	s := v.do("GET", address, "")
	for range 12 {
		next := s.header.Get("Location")
		if _, rest, ok := strings.Cut(s.body, ` data-next="`); ok && s.status == 200 {
			next, _, _ = strings.Cut(rest, `"`)
			next = strings.ReplaceAll(next, "&amp;", "&")
		}
		if next == "" {
			return s
		}
		at, err := url.Parse(s.at)
		if err != nil {
			v.n.t.Fatal(err)
		}
		to, err := at.Parse(next)
		if err != nil {
			v.n.t.Fatal(err)
		}
		s = v.do("GET", to.String(), "")
	}
	v.n.t.Fatalf("it goes round in circles: %q", v.trail)
	return s
}

// signIn signs a person in to the console.
func (v *guest) enters(user string, roles ...access.Role) {
	v.n.t.Helper()
	link, err := v.n.Welcome(v.n.t.Context(), user, roles...)
	if err != nil {
		v.n.t.Fatal(err)
	}
	_, secret, _ := strings.Cut(link, "link=")
	if in := v.do("POST", v.n.ConsoleURL()+"/sign-in", "link="+secret); in.status != http.StatusSeeOther {
		v.n.t.Fatalf("%+v", in)
	}
}

// TestSignOn: a person who is signed in to the console opens an app by its address, and another one; one who
// is not is led to sign in; signing out of the console ends both sessions.
func TestSignOn(t *testing.T) {
	n := start(t, audiences)
	for _, app := range []string{"shop", "desk"} {
		n.publish(n.ada(), manifest(app), says("this is "+app))
	}
	v := n.guest()
	if s := v.open(n.AppURL("shop") + "deep?x=1"); s.status != 200 || !strings.Contains(s.at, "/sign-in?next=") || strings.Contains(s.body, "this is") {
		t.Fatalf("%+v", s)
	}
	v.enters(ada, access.RoleDeveloper)
	v.trail = nil
	if s := v.open(n.AppURL("shop") + "deep?x=1"); s.body != "this is shop" || s.at != n.AppURL("shop")+"deep?x=1" {
		t.Fatalf("%+v", s)
	}
	if len(v.trail) != 4 { // the app, the console, the callback, the page
		t.Errorf("%q", v.trail)
	}
	if s := v.open(n.AppURL("desk")); s.body != "this is desk" {
		t.Fatalf("%+v", s)
	}
	if s := v.do("POST", n.ConsoleURL()+"/sign-out", ""); s.status != http.StatusSeeOther {
		t.Fatalf("%+v", s)
	}
	for _, app := range []string{"shop", "desk"} {
		if s := v.open(n.AppURL(app)); !strings.Contains(s.at, "/sign-in?next=") {
			t.Errorf("after signing out: %+v", s)
		}
	}
}

// TestStranger: a person who is not in the audience sees whose app it is, asks, and is let in by the owner.
func TestStranger(t *testing.T) {
	n := start(t, audiences)
	n.publish(n.ada(), manifest("shop"), says("this is shop"))
	v := n.guest()
	v.enters("eve@example.com")
	if s := v.open(n.AppURL("shop")); s.status != http.StatusForbidden || !strings.Contains(s.body, "Ask for access") || !strings.Contains(s.body, "<dd>ada</dd>") {
		t.Fatalf("%+v", s)
	}
	if s := v.do("POST", n.AppURL("shop")+".agora/access", ""); s.status != http.StatusSeeOther {
		t.Fatalf("%+v", s)
	}
	if s := v.open(n.AppURL("shop")); s.status != http.StatusForbidden || !strings.Contains(s.body, "has not decided yet") {
		t.Fatalf("%+v", s)
	}
	owner := access.WithActor(t.Context(), access.Actor{User: ada, Roles: []access.Role{access.RoleDeveloper}})
	if _, err := n.Audiences.AnswerAccess(owner, "shop", abi.TierSandbox, "eve@example.com", true, ""); err != nil {
		t.Fatal(err)
	}
	if s := v.open(n.AppURL("shop")); s.body != "this is shop" {
		t.Fatalf("%+v", s)
	}
}

// TestAudienceOnThePage: the owner sees on the app's page who asks, lets them in, and says who else may
// open it; a form whose page has become old changes nothing.
func TestAudienceOnThePage(t *testing.T) {
	n := start(t, audiences)
	n.publish(n.ada(), manifest("shop"), says("this is shop"))
	n.as("bob@example.com")
	if _, err := n.as("eve@example.com").AskAccess(t.Context(), "shop", ""); err != nil {
		t.Fatal(err)
	}
	v := n.guest()
	v.enters(ada, access.RoleDeveloper)
	page := v.open(n.ConsoleURL() + "/apps/shop")
	if !strings.Contains(page.body, "<strong>eve@example.com</strong> asks to open the sandbox tier") || !strings.Contains(page.body, "by default") {
		t.Fatalf("%s", page.body)
	}
	if s := v.do("POST", n.ConsoleURL()+"/apps/shop/access", "person=eve%40example.com&tier=sandbox&verdict=grant"); s.status != http.StatusSeeOther {
		t.Fatalf("%+v", s)
	}
	_, rest, _ := strings.Cut(page.body, `/audiences/sandbox" class="stack"><input type="hidden" name="revision" value="`)
	old, _, _ := strings.Cut(rest, `"`)
	if s := v.do("POST", n.ConsoleURL()+"/apps/shop/audiences/sandbox", "kind=people&people=bob%40example.com&revision="+url.QueryEscape(old)); s.status != http.StatusPreconditionFailed || old == "" {
		t.Errorf("an old page (%q): %+v", old, s)
	}
	if a, err := n.ada().Audience(t.Context(), "shop", abi.TierSandbox); err != nil || a.Kind != "people" || len(a.People) != 1 || a.People[0] != "eve@example.com" {
		t.Errorf("%+v, %v", a, err)
	}
	if s := v.do("POST", n.ConsoleURL()+"/apps/shop/audiences/sandbox", "kind=people&people=bob%40example.com%0aeve%40example.com"); s.status != http.StatusSeeOther {
		t.Errorf("%+v", s)
	}
	if a, err := n.ada().Audience(t.Context(), "shop", abi.TierSandbox); err != nil || len(a.People) != 2 {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestPublicIsApproved: a tier opens to everybody once a reviewer who is not its owner has approved that.
func TestPublicIsApproved(t *testing.T) {
	n := start(t, audiences)
	n.publish(n.ada(), manifest("shop"), says("this is shop"))
	a, err := n.ada().SetAudience(t.Context(), client.Audience{App: "shop", Tier: abi.TierSandbox, Kind: "public"}, "opening hours")
	if err != nil || a.Kind != "owner" || a.Waiting == "" {
		t.Fatalf("%+v, %v", a, err)
	}
	if got := n.get(n.AppURL("shop")); got.Status != http.StatusUnauthorized {
		t.Errorf("before: %+v", got)
	}
	if _, err := n.as(ada, access.RoleDeveloper, access.RoleReviewer).Decide(t.Context(), a.Waiting, true, "mine"); err == nil {
		t.Error("the owner approved it")
	}
	if _, err := n.rex().Decide(t.Context(), a.Waiting, true, "fine"); err != nil {
		t.Fatal(err)
	}
	if got := n.get(n.AppURL("shop")); got.Body != "this is shop" {
		t.Errorf("after: %+v", got)
	}
	a, err = n.ada().SetAudience(t.Context(), client.Audience{App: "shop", Tier: abi.TierSandbox, Kind: "organisation"}, "")
	if err != nil || a.Kind != "organisation" {
		t.Fatalf("%+v, %v", a, err)
	}
	if got := n.get(n.AppURL("shop")); got.Status != http.StatusUnauthorized {
		t.Errorf("narrowed: %+v", got)
	}
}
