package node_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/access/oidc/oidctest"
	"github.com/agora-host/agora/node"
)

// company is a node whose people sign in at a provider.
type company struct {
	*testNode
	*oidctest.Provider
}

// adaThere is Ada at the provider.
var adaThere = oidctest.Person{Subject: "s-ada", Email: ada, Verified: true, Name: "Ada Lovelace", Groups: []string{"makers"}, Session: "sid-ada"}

// signInFile describes providers; rules give everyone viewer, and makers developer.
func signInFile(t testing.TB, all map[string]*oidctest.Provider, more ...string) string {
	t.Helper()
	type entry map[string]any
	var providers []entry
	for id, p := range all {
		providers = append(providers, entry{"id": id, "name": "The " + id, "issuer": p.URL, "client_id": p.ClientID, "client_secret": p.ClientSecret})
	}
	slices.SortFunc(providers, func(a, b entry) int { return strings.Compare(a["id"].(string), b["id"].(string)) })
	file := entry{"providers": providers, "rules": []entry{{"roles": []string{"viewer"}, "everyone": true}, {"roles": []string{"developer"}, "groups": []string{"makers"}}}}
	if len(more) > 0 {
		file["rules"] = json.RawMessage(more[0])
	}
	raw, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sign-in.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func startCompany(t testing.TB, change ...func(*node.Options)) *company {
	t.Helper()
	p := oidctest.Start(t)
	p.Add(adaThere)
	path := signInFile(t, map[string]*oidctest.Provider{"company": p})
	n := start(t, append([]func(*node.Options){func(o *node.Options) { o.SignIn = path }}, change...)...)
	p.Allow(n.ConsoleURL() + "/auth/company/callback")
	p.Allow(n.ConsoleURL() + "/sign-in")
	return &company{n, p}
}

// visitor is a person at a browser.
type visitor struct {
	t      testing.TB
	base   string
	jar    http.CookieJar
	client *http.Client
}

func (n *testNode) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		n.t.Fatal(err)
	}
	return &visitor{n.t, n.ConsoleURL(), jar, &http.Client{Jar: jar, Timeout: 10 * time.Second}}
}

// shown is what a browser shows in the end.
type shown struct {
	Status int
	URL    *url.URL
	Body   string
	Header http.Header
}

func (v *visitor) request(method, address string, form url.Values, header ...string) shown {
	v.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = v.base + address
	}
	r, err := http.NewRequestWithContext(v.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return shown{res.StatusCode, res.Request.URL, string(body), res.Header}
}

func (v *visitor) get(address string, header ...string) shown {
	v.t.Helper()
	return v.request(http.MethodGet, address, nil, header...)
}

// stopAt has the browser stop before an address for which at returns true, which it returns.
func (v *visitor) stopAt(address string, at func(*url.URL) bool) *url.URL {
	v.t.Helper()
	var stopped *url.URL
	v.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if at(r.URL) {
			stopped = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}
	v.get(address)
	v.client.CheckRedirect = nil
	if stopped == nil {
		v.t.Fatalf("%s does not lead there", address)
	}
	return stopped
}

// signIn goes to an address of the console that leads to the provider, says who it is there if it is
// asked, and returns where that leads.
func (v *visitor) signIn(address, subject string) shown {
	v.t.Helper()
	got := v.get(address)
	if got.URL.Path != "/login" {
		return got
	}
	return v.request(http.MethodPost, "http://"+got.URL.Host+"/login", url.Values{"id": {got.URL.Query().Get("id")}, "subject": {subject}})
}

// session is the cookie of the visitor's session; "" for none.
func (v *visitor) session() string {
	u, _ := url.Parse(v.base)
	for _, c := range v.jar.Cookies(u) {
		if c.Name == "agora_session" {
			return c.Value
		}
	}
	return ""
}

func (v *visitor) logins() (names []string) {
	u, _ := url.Parse(v.base)
	for _, c := range v.jar.Cookies(u) {
		if strings.HasPrefix(c.Name, "agora_login_") {
			names = append(names, c.Name)
		}
	}
	return names
}

// person reads a user and their accounts.
func (n *testNode) person(name string) (access.User, []access.Account) {
	n.t.Helper()
	u, accounts, err := n.PersonKept(n.t.Context(), name)
	if err != nil {
		n.t.Fatal(err)
	}
	return u, accounts
}

// rolesOf are the roles that a user has now.
func (n *testNode) rolesOf(u access.User) []access.Role {
	n.t.Helper()
	groups, err := n.GroupsKept(n.t.Context(), u.Name)
	if err != nil {
		n.t.Fatal(err)
	}
	return u.RolesAt(time.Now(), groups)
}

// TestSignInAtProvider is a person's way in: from the page, to the provider and back to the page that
// was wanted, with the roles of the rules; the second time, in another browser, and out again.
func TestSignInAtProvider(t *testing.T) {
	c := startCompany(t)
	v := c.visitor()
	page := v.get("/usage?by=team")
	if page.URL.Path != "/sign-in" || !strings.Contains(page.Body, `href="/auth/company?next=%2fusage%3fby%3dteam"`) || !strings.Contains(page.Body, "Sign in with The company") {
		t.Fatalf("%s\n%s", page.URL, page.Body)
	}
	in := v.signIn("/auth/company?next=%2Fusage%3Fby%3Dteam", adaThere.Subject)
	if in.Status != http.StatusOK || in.URL.RequestURI() != "/usage?by=team" || !strings.Contains(in.Body, ada) {
		t.Fatalf("%d %s\n%s", in.Status, in.URL, in.Body)
	}
	if len(v.logins()) > 0 {
		t.Errorf("the sign-in on its way is kept: %v", v.logins())
	}
	u, accounts := c.person(ada)
	if len(u.Roles) > 0 || fmt.Sprint(c.rolesOf(u)) != "[viewer developer]" || len(accounts) != 1 || accounts[0].Subject != adaThere.Subject || accounts[0].Email != ada {
		t.Errorf("%+v, %+v", u, accounts)
	}
	if up := v.get("/upload"); up.Status != http.StatusOK {
		t.Errorf("a developer by rule cannot upload: %d", up.Status)
	}
	// What the provider says next counts next.
	less := adaThere
	less.Groups, less.Email = []string{}, "ada@elsewhere.example.com"
	c.Add(less)
	other := c.visitor()
	if in := other.signIn("/auth/company", adaThere.Subject); in.URL.Path != "/" || !strings.Contains(in.Body, ada) {
		t.Errorf("%s\n%s", in.URL, in.Body)
	}
	if u, _ := c.person(ada); fmt.Sprint(c.rolesOf(u)) != "[viewer]" {
		t.Errorf("%+v", u)
	}
	if up := v.get("/upload"); up.Status != http.StatusForbidden {
		t.Errorf("the role that was taken still uploads: %d", up.Status)
	}
	out := v.request(http.MethodPost, "/sign-out", nil)
	if out.URL.RequestURI() != "/signed-out?provider=company" || !strings.Contains(out.Body, c.Provider.URL+"/end_session?") || v.session() != "" {
		t.Errorf("%s\n%s", out.URL, out.Body)
	}
	if other.get("/usage").URL.Path != "/usage" {
		t.Error("the other browser is signed out, too")
	}
	kinds := c.kinds("user.", "account.", "group.")
	for _, want := range []string{"user.changed", "account.connected", "user.signed_in", "group.created", "group.member_added", "group.member_removed", "user.signed_out"} {
		if !slices.Contains(kinds, want) {
			t.Errorf("no event %s among %v", want, kinds)
		}
	}
}

// kinds are the kinds of the events with a prefix, oldest first.
func (n *testNode) kinds(prefixes ...string) (kinds []string) {
	n.t.Helper()
	events, err := n.EventsKept(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	for _, e := range events {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(e.Kind, p) }) {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}
