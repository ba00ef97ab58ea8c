package node_test

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/sdk/client"
)

// provider lets a provider in, and returns its token.
func (n *testNode) provider(name string) (token string) {
	n.t.Helper()
	n.ops() // is known from here on
	ctx := access.WithActor(context.Background(), access.Actor{User: ops, Roles: []access.Role{access.RoleOperator}})
	token, _, err := n.Provisioning.NewProvisioningToken(ctx, control.NewProvisioningToken{Provider: name})
	if err != nil {
		n.t.Fatal(err)
	}
	return token
}

// scim is a request of a provider.
func (n *testNode) scim(method, path, token, body string) answer {
	return n.do(method, n.ConsoleURL()+"/scim/v2/entra"+path, body, "Authorization", "Bearer "+token, "Content-Type", "application/scim+json")
}

// TestProvisionedPerson: a person whom a provider made signs in, and is refused everywhere by the time
// that the provider is told that they are ended.
func TestProvisionedPerson(t *testing.T) {
	n := start(t)
	token := n.provider("entra")
	made := n.scim("POST", "/Users", token, `{"userName":"Zoe@Example.com","externalId":"zoe-1","active":true}`)
	if made.Status != 201 {
		t.Fatalf("%+v", made)
	}
	id := between(made.Body, `"id":"`, `"`)
	zoe, session := n.as("zoe@example.com", access.RoleViewer), n.session("zoe@example.com")
	if _, err := zoe.Whoami(t.Context()); err != nil {
		t.Fatal(err)
	}
	for what, secret := range map[string]string{"a provider's token": token, "a person's token": n.token(ops, access.RoleOperator)} {
		api := n.do("GET", n.ConsoleURL()+"/api/v1/whoami", "", "Authorization", "Bearer "+secret).Status
		door := n.scim("GET", "/Users", secret, "").Status
		if (api == 200) == (door == 200) || api != 200 && api != 401 || door != 200 && door != 401 {
			t.Errorf("%s opens the API with %d and the providers' door with %d", what, api, door)
		}
	}
	if got := n.do("GET", n.ConsoleURL()+"/settings", "", "Cookie", "agora_session="+token); got.Status == 200 {
		t.Error("a provider's token is a session")
	}
	if got := n.scim("PATCH", "/Users/"+id, token, `{"Operations":[{"op":"Replace","path":"active","value":"False"}]}`); got.Status != 200 {
		t.Fatalf("%+v", got)
	}
	if _, err := zoe.Whoami(t.Context()); problemOf(t, err).Status != 401 {
		t.Errorf("a token of who was ended: %v", err)
	}
	if got := n.do("GET", n.ConsoleURL()+"/settings", "", "Cookie", session); got.Status == 200 {
		t.Error("a session of who was ended goes on")
	}
	events, err := n.ops().FindEvents(t.Context(), client.EventFilter{Kinds: []string{"user.provisioned", "user.deprovisioned"}})
	if err != nil || len(events) != 2 || events[0].Actor != "provisioning:entra" || events[0].Subject != "zoe@example.com" {
		t.Errorf("%+v, %v", events, err)
	}
}

// TestProvisioningOnTheWire: operators let providers in, see their conflicts, settle them, and import.
func TestProvisioningOnTheWire(t *testing.T) {
	n := start(t)
	boss, dev := n.ops(), n.ada()
	made, err := boss.NewProvisioningToken(t.Context(), "entra", "production", 24)
	if err != nil || made.URL != n.ConsoleURL()+"/scim/v2/entra" || !strings.HasPrefix(made.Secret, "agora_scim_") {
		t.Fatalf("%+v, %v", made, err)
	}
	if got := n.scim("POST", "/Users", made.Secret, `{"userName":"`+ada+`","externalId":"k"}`); got.Status != 409 {
		t.Fatalf("%+v", got)
	}
	all, err := boss.Provisionings(t.Context())
	if err != nil || len(all) != 1 || len(all[0].Conflicts) != 1 || all[0].Used.IsZero() {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := boss.LinkPerson(t.Context(), "entra", ada, "k", ada); err != nil {
		t.Error(err)
	}
	_, absent := boss.Provisioning(t.Context(), "okta")
	_, dare := dev.Provisionings(t.Context())
	_, badName := boss.NewProvisioningToken(t.Context(), "Entra ID", "", 0)
	_, badFile := boss.ImportPeople(t.Context(), client.PeopleImport{Format: "csv", File: "x\n1\n"})
	in := client.PeopleImport{Format: "csv", File: "email,roles\nyve@example.com,viewer\n"}
	plan, err := boss.ImportPeople(t.Context(), in)
	if err != nil || plan.Added != 1 || plan.Applied {
		t.Errorf("%+v, %v", plan, err)
	}
	in.Apply, in.Revision = true, "other"
	_, other := boss.ImportPeople(t.Context(), in)
	for what, c := range map[string]struct {
		err  error
		slug string
	}{
		"no provider": {absent, "no-such-provisioning"}, "a developer": {dare, "forbidden"}, "a bad name": {badName, "bad-provisioning"},
		"a linked person": {boss.LinkPerson(t.Context(), "entra", "x", "k", rex), "no-such-user"}, "no conflict": {boss.DismissConflict(t.Context(), "entra", "nobody/else"), "not-provisioned"},
		"a bad file": {badFile, "bad-people-file"}, "what was not looked at": {other, "precondition-failed"},
		"no token": {boss.RevokeProvisioningToken(t.Context(), "entra", "none"), "no-such-token"},
	} {
		if p := problemOf(t, c.err); p.Type != "/problems/"+c.slug {
			t.Errorf("%s: %+v", what, p)
		}
	}
	in.Revision = plan.Revision
	if plan, err = boss.ImportPeople(t.Context(), in); err != nil || !plan.Applied {
		t.Errorf("%+v, %v", plan, err)
	}
	if u, err := boss.User(t.Context(), "yve@example.com"); err != nil || !slices.Equal(u.Roles, []string{"viewer"}) {
		t.Errorf("%+v, %v", u, err)
	}
	if err := boss.RevokeProvisioningToken(t.Context(), "entra", made.ID); err != nil || n.scim("GET", "/Users", made.Secret, "").Status != 401 {
		t.Errorf("a revoked token: %v", err)
	}
	limited, err := boss.NewToken(t.Context(), client.NewToken{Label: "x", Hours: 1, Scopes: []string{"users:read"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := n.do("POST", n.ConsoleURL()+"/api/v1/provisioning/entra/tokens", "{}", "Authorization", "Bearer "+limited.Secret, "Content-Type", "application/json"); got.Status != 403 {
		t.Errorf("a token that reads makes a provider's: %d", got.Status)
	}
}

// TestProvisioningInTheConsole: an operator lets a provider in, settles a conflict, and applies a file
// that the page showed.
func TestProvisioningInTheConsole(t *testing.T) {
	n := start(t)
	n.ada()
	boss := n.session(ops, access.RoleOperator)
	post := func(path string, form url.Values) answer {
		return n.do(http.MethodPost, n.ConsoleURL()+path, form.Encode(), "Cookie", boss, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
	}
	page := func(path string) string { return n.do("GET", n.ConsoleURL()+path, "", "Cookie", boss).Body }
	made := post("/provisioning/tokens", url.Values{"provider": {"entra"}, "days": {"30"}, "label": {"<b>x"}})
	token := between(made.Body, `<pre class="secret">`, "<")
	if !strings.HasPrefix(token, "agora_scim_") || strings.Contains(made.Body, "<b>x") || strings.Contains(page("/provisioning/entra"), token) {
		t.Fatal(made.Body)
	}
	n.scim("POST", "/Users", token, `{"userName":"`+ada+`","externalId":"<i>k"}`)
	if body := page("/provisioning/entra"); !strings.Contains(body, "Say who it is") || !strings.Contains(body, "&lt;i&gt;k") {
		t.Error(body)
	}
	post("/provisioning/entra/link", url.Values{"user_name": {ada}, "external": {"<i>k"}, "person": {ada}})
	if body := page("/provisioning/entra"); strings.Contains(body, "Say who it is") || !strings.Contains(body, "1 person") {
		t.Error(body)
	}
	send := func(fields map[string]string) answer {
		var b bytes.Buffer
		form := multipart.NewWriter(&b)
		for name, v := range fields {
			if err := form.WriteField(name, v); err != nil {
				t.Fatal(err)
			}
		}
		form.Close()
		return n.do(http.MethodPost, n.ConsoleURL()+"/people/import", b.String(), "Cookie", boss, "Content-Type", form.FormDataContentType(), "Sec-Fetch-Site", "same-origin")
	}
	file := "email,display_name\nyve@example.com,\"Yve <script>\"\n=cmd,x\n"
	shown := send(map[string]string{"file": file, "provider": "file"})
	if shown.Status != 200 || !strings.Contains(shown.Body, "Nothing is changed yet") || !strings.Contains(shown.Body, "Yve &lt;script&gt;") || !strings.Contains(shown.Body, "1 conflict") {
		t.Fatal(shown.Body)
	}
	revision := between(shown.Body, `name="revision" value="`, `"`)
	if got := send(map[string]string{"text": file, "provider": "file", "apply": "yes", "revision": "other"}); got.Status != 412 {
		t.Errorf("another revision: %d", got.Status)
	}
	if got := send(map[string]string{"text": strings.ReplaceAll(file, "\n", "\r\n"), "provider": "file", "apply": "yes", "revision": revision}); got.Status != 200 || !strings.Contains(got.Body, "<h2>Imported</h2>") {
		t.Error(got.Body)
	}
	if got := send(map[string]string{"provider": "file"}); got.Status != 400 {
		t.Errorf("no file: %d", got.Status)
	}
	if u, err := n.ops().User(t.Context(), "yve@example.com"); err != nil || u.Disabled {
		t.Errorf("%+v, %v", u, err)
	}
}

// provisioned has a provider tell of people, of whom it cannot have one.
func (n *testNode) provisioned() {
	n.t.Helper()
	token := n.provider("entra")
	for _, name := range []string{"zoe@example.com", ada} {
		n.scim("POST", "/Users", token, `{"userName":"`+name+`","externalId":"6f1c7a52-8d0b-4c7e-9a55-3f0f0e6b1c2d-`+name+`"}`)
	}
}
