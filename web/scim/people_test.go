package scim_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

// add makes a person and returns the id.
func (w *world) add(userName, external string) string {
	w.t.Helper()
	a := w.do("POST", "/Users", fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q,"externalId":%q,"active":true}`, userName, external))
	id, _ := a.doc["id"].(string)
	if a.status != 201 || id == "" {
		w.t.Fatalf("%d %s", a.status, a.raw)
	}
	return id
}

// patch changes a person by operations, in JSON.
func (w *world) patch(path, operations string) answer {
	w.t.Helper()
	return w.do("PATCH", path, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`+operations+`]}`)
}

// known reads a user as everybody else does.
func (w *world) known(name string) (u access.User) {
	w.t.Helper()
	err := w.store.View(context.Background(), func(tx state.Reader) (err error) {
		u, err = tx.User(name)
		return err
	})
	if err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	return u
}

// at reads a value of a document: "name.familyName", "emails.0.value".
func at(doc any, path ...string) any {
	for _, p := range path {
		switch v := doc.(type) {
		case map[string]any:
			doc = v[p]
		case []any:
			i := 0
			if _, err := fmt.Sscan(p, &i); err != nil || i >= len(v) {
				return nil
			}
			doc = v[i]
		default:
			return nil
		}
	}
	return doc
}

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// TestForms: what providers send in forms of their own means what they mean by it.
func TestForms(t *testing.T) {
	w := newWorld(t)
	id := w.add("Ada@Example.com", "ext-ada")
	path := "/Users/" + id
	for _, c := range []struct {
		name, operations string
		at               []string
		want             any
	}{
		{"Entra: False as a text, and Replace", `{"op":"Replace","path":"active","value":"False"}`, []string{"active"}, false},
		{"Entra: True as a text", `{"op":"Replace","path":"active","value":"True"}`, []string{"active"}, true},
		{"Okta: without a path, with the id and the schemas", `{"op":"replace","value":{"id":"x","schemas":[],"active":false}}`, []string{"active"}, false},
		{"back", `{"op":"replace","value":{"active":true}}`, []string{"active"}, true},
		{"Entra: a part by a path with a filter, made because it is absent", `{"op":"Add","path":"emails[type eq \"work\"].value","value":"ada@corp.example"}`, []string{"emails", "0", "value"}, "ada@corp.example"},
		{"Entra: replaced by the same path", `{"op":"Replace","path":"emails[type eq \"work\"].value","value":"ada2@corp.example"}`, []string{"emails", "0", "value"}, "ada2@corp.example"},
		{"and there is one still", `{"op":"Replace","path":"emails[type eq \"work\"].primary","value":"True"}`, []string{"emails", "1"}, nil},
		{"Entra: dotted names without a path", `{"op":"Add","value":{"name.familyName":"Lovelace","name.givenName":"Ada"}}`, []string{"name", "familyName"}, "Lovelace"},
		{"Entra: a URN as a name", `{"op":"Add","value":{"` + enterprise + `:department":"Engines"}}`, []string{enterprise, "department"}, "Engines"},
		{"Entra: a manager as a bare text", `{"op":"Add","path":"` + enterprise + `:manager","value":"u_boss"}`, []string{enterprise, "manager", "value"}, "u_boss"},
		{"Entra: the manager goes", `{"op":"Remove","path":"` + enterprise + `:manager"}`, []string{enterprise, "manager"}, nil},
		{"a URN in other letters", `{"op":"add","path":"URN:ietf:params:scim:schemas:core:2.0:user:TITLE","value":"Countess"}`, []string{"title"}, "Countess"},
		{"the whole extension", `{"op":"replace","path":"` + enterprise + `","value":{"costCenter":4711,"schemas":["x"]}}`, []string{enterprise, "costCenter"}, "4711"},
		{"what is not kept is left out, and the rest is done", `{"op":"replace","value":{"nickName":"A","displayName":"Ada L","addresses":[{"type":"work"}]}},{"op":"add","path":"addresses[type eq \"work\"].locality","value":"London"}`, []string{"displayName"}, "Ada L"},
		{"a removal of what is not there", `{"op":"remove","path":"emails[type eq \"home\"]"}`, []string{"emails", "0", "type"}, "work"},
		{"a removal by a list of values", `{"op":"remove","path":"emails","value":[{"value":"ada2@corp.example"}]}`, []string{"emails"}, nil},
		{"null takes away", `{"op":"replace","path":"title","value":null}`, []string{"title"}, nil},
		{"a name in other letters", `{"OP":"REPLACE","Path":"USERNAME","Value":"ada.king@example.com"}`, []string{"userName"}, "ada.king@example.com"},
		{"a guest's name", `{"op":"replace","path":"userName","value":"ada_gmail.com#EXT#@corp.example"}`, []string{"userName"}, "ada_gmail.com#EXT#@corp.example"},
		{"a name that is no address", `{"op":"replace","path":"userName","value":"CORP\\ada"}`, []string{"userName"}, `CORP\ada`},
	} {
		a := w.patch(path, c.operations)
		if got := at(a.doc, c.at...); a.status != 200 || got != c.want {
			t.Errorf("%s: %d %v, want %v: %s", c.name, a.status, got, c.want, a.raw)
		}
		if again := w.do("GET", path, ""); again.raw != a.raw {
			t.Errorf("%s: %s is read as %s", c.name, a.raw, again.raw)
		}
	}
	if u := w.known("corp_ada@entra"); len(u.Former) != 3 || u.ID != id {
		t.Errorf("the names that they had: %+v", u)
	}
	if log := w.log.String(); strings.Count(log, "attribute=nickName") != 1 || strings.Count(log, "attribute=addresses") != 1 {
		t.Errorf("the log does not say once what is not kept: %s", log)
	}
}

// TestRefused: what cannot be meant is refused in the protocol's words, and changes nothing.
func TestRefused(t *testing.T) {
	w := newWorld(t)
	id := w.add("ada@example.com", "ext-ada")
	w.add("bob@example.com", "ext-bob")
	path := "/Users/" + id
	before := w.do("GET", path, "").raw
	many := strings.Repeat(`{"op":"add","path":"title","value":"x"},`, 1000)
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		kind                     any
	}{
		{"no JSON", "POST", "/Users", `{"userName":`, 400, "invalidSyntax"},
		{"two documents", "POST", "/Users", `{"userName":"a@b.example"} {}`, 400, "invalidSyntax"},
		{"a list", "POST", "/Users", `[]`, 400, "invalidSyntax"},
		{"nobody's name", "POST", "/Users", `{"displayName":"x"}`, 400, "invalidValue"},
		{"a name twice", "POST", "/Users", `{"userName":"x@y.example","USERNAME":"z@y.example"}`, 400, "invalidSyntax"},
		{"letters that look like others", "POST", "/Users", `{"userName":"аda@example.com"}`, 400, "invalidValue"},
		{"a name of other letter case", "POST", "/Users", `{"userName":"ADA@example.com","externalId":"other"}`, 409, "uniqueness"},
		{"a key that is another's", "POST", "/Users", `{"userName":"new@example.com","externalId":"ext-ada"}`, 409, "uniqueness"},
		{"a key that becomes another's", "PATCH", path, `{"op":"replace","path":"externalId","value":"ext-bob"}`, 409, "uniqueness"},
		{"a name that becomes another's", "PATCH", path, `{"op":"replace","path":"userName","value":"BOB@example.com"}`, 409, "uniqueness"},
		{"an operator of this node", "POST", "/Users", `{"userName":"root@example.com"}`, 409, "uniqueness"},
		{"active is no word", "PATCH", path, `{"op":"replace","path":"active","value":"maybe"}`, 400, "invalidValue"},
		{"an object for a text", "PATCH", path, `{"op":"replace","path":"title","value":{"a":1}}`, 400, "invalidValue"},
		{"a list for a text", "PATCH", path, `{"op":"replace","path":"title","value":["a"]}`, 400, "invalidValue"},
		{"a control character", "PATCH", path, `{"op":"replace","path":"title","value":"a\u0000b"}`, 400, "invalidValue"},
		{"too long", "PATCH", path, `{"op":"replace","path":"title","value":"` + strings.Repeat("x", 1001) + `"}`, 400, "invalidValue"},
		{"two primary", "PATCH", path, `{"op":"replace","path":"emails","value":[{"value":"a","primary":true},{"value":"b","primary":true}]}`, 400, "invalidValue"},
		{"many values", "PATCH", path, `{"op":"replace","path":"emails","value":[` + strings.TrimSuffix(strings.Repeat(`{"value":"a"},`, 21), ",") + `]}`, 400, "invalidValue"},
		{"the id", "PATCH", path, `{"op":"replace","path":"id","value":"x"}`, 400, "mutability"},
		{"meta", "PATCH", path, `{"op":"remove","path":"meta.created"}`, 400, "mutability"},
		{"a removal of nothing", "PATCH", path, `{"op":"remove"}`, 400, "noTarget"},
		{"the name goes", "PATCH", path, `{"op":"remove","path":"userName"}`, 400, "invalidValue"},
		{"active goes", "PATCH", path, `{"op":"remove","path":"active"}`, 400, "invalidValue"},
		{"no such value", "PATCH", path, `{"op":"replace","path":"emails[value co \"x\"].display","value":"y"}`, 400, "noTarget"},
		{"a path that is none", "PATCH", path, `{"op":"replace","path":"emails[type eq","value":"y"}`, 400, "invalidPath"},
		{"a filter of no values", "PATCH", path, `{"op":"replace","path":"title[a eq 1]","value":"y"}`, 400, "invalidPath"},
		{"an unknown operation", "PATCH", path, `{"op":"move","path":"title","value":"y"}`, 400, "invalidSyntax"},
		{"no operations", "PATCH", path, ``, 400, "invalidSyntax"},
		{"too many operations", "PATCH", path, many + `{"op":"add","path":"title","value":"x"}`, 400, "invalidSyntax"},
		{"an absent person", "PATCH", "/Users/u_none", `{"op":"replace","path":"title","value":"y"}`, 404, nil},
		{"a person by a name", "GET", "/Users/ada@example.com", "", 404, nil},
		{"a former operator by a name", "GET", "/Users/root@example.com", "", 404, nil},
		{"nothing", "GET", "/Things", "", 404, nil},
		{"deeper", "GET", path + "/emails", "", 404, nil},
		{"bulk", "POST", "/Bulk", "{}", 501, nil},
		{"me", "GET", "/Me", "", 501, nil},
		{"a wrong method", "DELETE", "/ServiceProviderConfig", "", 405, nil},
		{"a filter of schemas", "GET", "/Schemas?filter=x", "", 403, nil},
		{"sorting", "GET", "/Users?sortBy=userName", "", 400, "invalidValue"},
		{"no number", "GET", "/Users?count=ten", "", 400, "invalidValue"},
		{"a body of 5 MB", "POST", "/Users", `{"userName":"` + strings.Repeat("x", 5<<20) + `"}`, 413, nil},
	} {
		body := c.body
		if c.method == "PATCH" {
			body = `{"Operations":[` + c.body + `]}`
		}
		a := w.do(c.method, c.path, body)
		if a.status != c.status || a.doc["scimType"] != c.kind {
			t.Errorf("%s: %d %v, want %d %v: %.300s", c.name, a.status, a.doc["scimType"], c.status, c.kind, a.raw)
		}
	}
	if after := w.do("GET", path, "").raw; after != before {
		t.Errorf("%s became %s", before, after)
	}
	if a := w.do("DELETE", "/Users", ""); a.status != 405 || a.header.Get("Allow") != "GET, POST" {
		t.Errorf("%d %v", a.status, a.header)
	}
	if a := w.do("POST", "/Users", "{}", "Content-Type", "text/plain"); a.status != 415 {
		t.Errorf("text is taken: %d", a.status)
	}
}

// credentials gives a person a token and a session, and returns what reads how many they have.
func (w *world) credentials(name string) func() int {
	w.t.Helper()
	_, err := w.store.Update(context.Background(), name, func(tx state.Tx) error {
		tx.Emit("token.created", "", "x", nil)
		for i, kind := range []access.CredentialKind{access.KindToken, access.KindSession, access.KindLink} {
			if err := tx.PutCredential(access.Credential{ID: fmt.Sprint(name, i), Hash: fmt.Sprint("hash", i), Kind: kind, User: name}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return func() (n int) {
		err := w.store.View(context.Background(), func(tx state.Reader) error {
			all, err := tx.Credentials(name)
			n = len(all)
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
		return n
	}
}

// TestEnding: who is deactivated or deleted has lost all by the time that the provider is told, and
// comes back as the same person, without what they had.
func TestEnding(t *testing.T) {
	for _, c := range []struct{ name, method, body string }{
		{"PATCH", "PATCH", `{"Operations":[{"op":"Replace","path":"active","value":"False"}]}`},
		{"PUT", "PUT", `{"userName":"ada@example.com","externalId":"ext-ada","active":false}`},
		{"DELETE", "DELETE", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			id := w.add("ada@example.com", "ext-ada")
			left := w.credentials("ada@example.com")
			if a := w.do(c.method, "/Users/"+id, c.body); a.status >= 300 {
				t.Fatalf("%d %s", a.status, a.raw)
			}
			if u := w.known("ada@example.com"); !u.Disabled || left() != 0 {
				t.Errorf("%+v has %d credentials", u, left())
			}
			if c.method == "PUT" { // a whole that does not speak of it changes nothing about it
				a := w.do("PUT", "/Users/"+id, `{"userName":"ada@example.com","externalId":"ext-ada"}`)
				if !w.known("ada@example.com").Disabled || a.doc["active"] != false {
					t.Errorf("PUT without active brings her back: %s", a.raw)
				}
			}
			back := w.do("POST", "/Users", `{"userName":"ada.king@example.com","externalId":"ext-ada"}`)
			if c.method != "DELETE" {
				if back.status != 409 {
					t.Errorf("she is there, and is made again: %d", back.status)
				}
				back = w.patch("/Users/"+id, `{"op":"replace","value":{"active":true,"userName":"ada.king@example.com"}}`)
			} else if gone := w.do("GET", "/Users?filter=externalId+eq+%22ext-ada%22", ""); gone.doc["totalResults"] != 1.0 || back.status != 201 {
				t.Errorf("%d %s", back.status, gone.raw)
			}
			if u := w.known("ada.king@example.com"); u.Disabled || u.ID != id || at(back.doc, "id") != id || left() != 0 {
				t.Errorf("who comes back is %+v: %s", u, back.raw)
			}
		})
	}
}

// TestDeletedIsGone: a provider does not find whom it deleted, and what it told of them is forgotten.
func TestDeletedIsGone(t *testing.T) {
	w := newWorld(t)
	id := w.add("ada@example.com", "")
	w.patch("/Users/"+id, `{"op":"add","path":"title","value":"Countess"}`)
	w.do("DELETE", "/Users/"+id, "")
	for _, path := range []string{"/Users/" + id} {
		for _, method := range []string{"GET", "DELETE", "PATCH"} {
			if a := w.do(method, path, `{"Operations":[{"op":"add","path":"title","value":"x"}]}`); a.status != 404 {
				t.Errorf("%s: %d", method, a.status)
			}
		}
	}
	if a := w.do("GET", "/Users", ""); a.doc["totalResults"] != 0.0 {
		t.Error(a.raw)
	}
	// Without a key of the provider nothing says that it is the same person: names are given again.
	if a := w.do("POST", "/Users", `{"userName":"ada@example.com"}`); a.status != 409 {
		t.Errorf("%d %s", a.status, a.raw)
	}
	err := w.store.View(context.Background(), func(tx state.Reader) error {
		p, err := tx.Provisioned("entra", "ada@example.com")
		if p.Title != "" || p.Deleted.IsZero() {
			t.Errorf("what is left is %+v", p)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestOperatorsWord: whom an operator disabled is not let in by a provider, and the name that an
// operator gave stays.
func TestOperatorsWord(t *testing.T) {
	w := newWorld(t)
	id := w.add("ada@example.com", "ext-ada")
	_, err := w.store.Update(context.Background(), "root@example.com", func(tx state.Tx) error {
		tx.Emit("user.changed", "", "ada@example.com", nil)
		_, err := access.ChangeUser(tx, access.User{Name: "ada@example.com", Disabled: true})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, active := range []string{"false", "true"} {
		if a := w.patch("/Users/"+id, `{"op":"replace","path":"active","value":`+active+`}`); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.raw)
		}
		if !w.known("ada@example.com").Disabled {
			t.Errorf("active %s brings back whom an operator disabled", active)
		}
	}
}

// TestLastOperator: the last operator stays, and the provider is told why.
func TestLastOperator(t *testing.T) {
	w := newWorld(t)
	id := w.add("ada@example.com", "ext-ada")
	_, err := w.store.Update(context.Background(), "root@example.com", func(tx state.Tx) error {
		tx.Emit("user.changed", "", "ada@example.com", nil)
		_, one := access.ChangeUser(tx, access.User{Name: "ada@example.com", Roles: []access.Role{access.RoleOperator}})
		_, two := access.ChangeUser(tx, access.User{Name: "root@example.com"})
		return errors.Join(one, two)
	})
	if err != nil {
		t.Fatal(err)
	}
	left := w.credentials("ada@example.com")
	for method, body := range map[string]string{
		"PATCH": `{"Operations":[{"op":"replace","path":"active","value":false}]}`, "PUT": `{"userName":"ada@example.com","active":false}`, "DELETE": "",
	} {
		a := w.do(method, "/Users/"+id, body)
		if detail, _ := a.doc["detail"].(string); a.status != 409 || !strings.Contains(detail, "last operator") {
			t.Errorf("%s: %d %s", method, a.status, a.raw)
		}
	}
	if u := w.known("ada@example.com"); u.Disabled || left() != 3 {
		t.Errorf("%+v has %d credentials", u, left())
	}
}

// TestMassDelete: a provider that deletes everybody leaves an operator.
func TestMassDelete(t *testing.T) {
	w := newWorld(t)
	for i := range 30 {
		w.add(fmt.Sprintf("p%d@example.com", i), fmt.Sprint("ext", i))
	}
	all := w.do("GET", "/Users?count=100&attributes=id", "")
	for _, one := range all.doc["Resources"].([]any) {
		if a := w.do("DELETE", "/Users/"+at(one, "id").(string), ""); a.status != 204 {
			t.Errorf("%d %s", a.status, a.raw)
		}
	}
	if u := w.known("root@example.com"); u.Disabled {
		t.Error("no operator is left")
	}
	status, err := w.service.Provisioning(w.operator(), "entra")
	if err != nil || status.People != 0 || len(status.Changes) != 20 || status.Changes[0].Kind != "user.deprovisioned" {
		t.Errorf("%+v, %v", status, err)
	}
}

// TestProviders: a provider sees its own people alone, and its token opens nothing else.
func TestProviders(t *testing.T) {
	w := newWorld(t)
	id := w.add("ada@example.com", "ext-ada")
	entra := w.token
	okta := w.newToken("okta")
	for name, token := range map[string]string{"another provider's": okta, "nothing": "", "made up": "agora_scim_x"} {
		w.token = token
		want := 401
		if token == okta {
			want = 403
		}
		if a := w.do("GET", "/Users/"+id, ""); a.status != want || want == 401 && !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	ctx := context.Background()
	actor, err := w.service.Authenticate(ctx, okta)
	if err != nil || actor.User != "provisioning:okta" {
		t.Fatalf("%+v, %v", actor, err)
	}
	ctx = access.WithActor(ctx, actor)
	if _, err := w.service.Person(ctx, id); !errors.Is(err, access.ErrNotProvisioned) {
		t.Errorf("another's person: %v", err)
	}
	if err := w.service.RemovePerson(ctx, id, func(control.ProvisionedPerson) error { return nil }); !errors.Is(err, access.ErrNotProvisioned) {
		t.Errorf("another's person is removed: %v", err)
	}
	// Two providers that claim one name: two people, or a conflict; never one.
	if _, err := w.service.AddPerson(ctx, access.Provisioned{UserName: "ada@example.com", External: "ext-ada", Active: true}); !errors.Is(err, access.ErrProvisionedTwice) {
		t.Errorf("%v", err)
	}
	w.token = entra
	group := strings.TrimPrefix(w.group("Ops", id), "/Groups/")
	if _, err := w.service.Group(ctx, group, true); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("another's group: %v", err)
	}
	if err := w.service.RemoveGroup(ctx, group, true, func(control.ProvisionedGroup) error { return nil }); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("another's group is removed: %v", err)
	}
	if all, n, err := w.service.Groups(ctx, control.ProvisionedQuery{Limit: 10}, true, nil); err != nil || n != 0 || len(all) != 0 {
		t.Errorf("another's groups: %v, %v", all, err)
	}
	if _, err := w.service.Provisionings(ctx); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("a provider reads what operators do: %v", err)
	}
	err = w.store.View(ctx, func(tx state.Reader) error {
		if _, _, err := access.Authenticate(tx, okta, actor.Since); !errors.Is(err, access.ErrUnauthenticated) {
			t.Errorf("a provider's token opens the API: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	tokens, err := w.service.ProvisioningTokens(w.operator(), "entra")
	if err != nil || len(tokens) != 1 || tokens[0].Used.IsZero() || tokens[0].Hash != "" {
		t.Fatalf("%+v, %v", tokens, err)
	}
	if err := w.service.RevokeProvisioningToken(w.operator(), "entra", tokens[0].ID); err != nil {
		t.Error(err)
	}
	if w.token = entra; w.do("GET", "/Users", "").status != 401 {
		t.Error("a token that was revoked works")
	}
}

// TestConflicts: whom a provider cannot have is shown to operators with what to do, once, and is over
// when an operator says who it is.
func TestConflicts(t *testing.T) {
	w := newWorld(t)
	w.user("ada@example.com", access.RoleDeveloper)
	body := `{"userName":"Ada@Example.com","externalId":"ext-ada","active":true}`
	for range 3 {
		if a := w.do("POST", "/Users", body); a.status != 409 || !strings.Contains(a.raw, "operator says who it is") && !strings.Contains(a.raw, "link") {
			t.Fatalf("%d %s", a.status, a.raw)
		}
	}
	status, err := w.service.Provisioning(w.operator(), "entra")
	if err != nil || len(status.Conflicts) != 1 || status.Conflicts[0].Person != "ada@example.com" {
		t.Fatalf("%+v, %v", status, err)
	}
	link := control.ProvisioningLink{UserName: "Ada@Example.com", External: "ext-ada", Person: "ada@example.com"}
	if _, err := w.service.LinkPerson(w.operator(), "entra", link); err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.LinkPerson(w.operator(), "entra", control.ProvisioningLink{UserName: "other", External: "ext-ada", Person: "root@example.com"}); !errors.Is(err, access.ErrProvisionedTwice) {
		t.Errorf("a key is two people's: %v", err)
	}
	found := w.do("GET", "/Users?filter=userName+eq+%22ADA@example.com%22", "")
	u := w.known("ada@example.com")
	if at(found.doc, "Resources", "0", "id") != u.ID || len(u.Roles) != 1 {
		t.Errorf("%s, %+v", found.raw, u)
	}
	if status, err = w.service.Provisioning(w.operator(), "entra"); err != nil || len(status.Conflicts) != 0 || status.People != 1 {
		t.Errorf("%+v, %v", status, err)
	}
	w.do("POST", "/Users", `{"userName":"root@example.com"}`)
	if err := w.service.DismissConflict(w.operator(), "entra", "root@example.com"); err != nil {
		t.Error(err)
	}
	if err := w.service.DismissConflict(w.operator(), "entra", "root@example.com"); !errors.Is(err, access.ErrNotFound) {
		t.Error(err)
	}
}

// TestUnchanged: what a provider says again is no change: no revision, and no event.
func TestUnchanged(t *testing.T) {
	w := newWorld(t)
	id := w.add("ada@example.com", "ext-ada")
	before, err := w.store.Rev(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	w.do("PUT", "/Users/"+id, `{"userName":"ada@example.com","externalId":"ext-ada","active":"True"}`)
	w.patch("/Users/"+id, `{"op":"replace","path":"active","value":true}`)
	if after, err := w.store.Rev(context.Background()); err != nil || after != before {
		t.Errorf("revision %d became %d, %v", before, after, err)
	}
	events, err := w.store.Events(context.Background(), state.EventQuery{Limit: -1, Kinds: []string{"user.provisioned"}})
	if err != nil || len(events) != 1 || events[0].Actor != "provisioning:entra" || events[0].Subject != "ada@example.com" {
		t.Errorf("%+v, %v", events, err)
	}
	for _, e := range events {
		for key := range e.Detail {
			if !strings.Contains(strings.Join(abi.EventKindNamed(e.Kind).Detail, " "), key) {
				t.Errorf("%s is no detail of %s", key, e.Kind)
			}
		}
	}
}
