package node_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/sdk/client"
)

// description is the part of an OpenAPI document that the tests read.
type description struct {
	OpenAPI string
	Paths   map[string]map[string]struct {
		OperationID string `json:"operationId"`
		Security    *[]map[string][]string
		RequestBody *struct {
			Content map[string]any
		} `json:"requestBody"`
		Responses map[string]any
	}
	Components struct{ Schemas map[string]any }
}

func describe(t *testing.T, n *testNode) (d description, raw string) {
	t.Helper()
	got := n.get(n.ConsoleURL() + "/api/v1/openapi.json")
	if err := json.Unmarshal([]byte(got.Body), &d); err != nil {
		t.Fatal(err)
	}
	return d, got.Body
}

// fill puts something into a path's parameters.
func fill(path string) string {
	return strings.NewReplacer("{app}", "shop", "{number}", "1", "{id}", "req-1", "{seq}", "1", "{name}", "ada@example.com").Replace(path)
}

// TestDescriptionIsTheAPI: every operation described is there, every address
// that is not described is not, and every reference resolves.
func TestDescriptionIsTheAPI(t *testing.T) {
	n := start(t)
	d, raw := describe(t, n)
	if d.OpenAPI != "3.1.0" || len(d.Paths) < 30 {
		t.Fatalf("OpenAPI %s with %d paths", d.OpenAPI, len(d.Paths))
	}
	ids, token := map[string]bool{}, n.token(ops, access.RoleOperator)
	for path, operations := range d.Paths {
		for method, op := range operations {
			if ids[op.OperationID] || op.Responses["500"] == nil || op.Responses["default"] != nil || len(op.Responses) < 5 {
				t.Errorf("%s %s: its id is doubled or its answers are missing", method, path)
			}
			ids[op.OperationID] = true
			got := n.do(strings.ToUpper(method), n.ConsoleURL()+fill(path), "", "Authorization", "Bearer "+token)
			if got.Problem.Type == "/problems/no-such-page" || got.Problem.Type == "/problems/method-not-allowed" {
				t.Errorf("%s %s is described and not there: %+v", method, path, got)
			}
		}
		if got := n.do("PATCH", n.ConsoleURL()+fill(path), ""); got.Status != 405 || got.Header.Get("Allow") == "" {
			t.Errorf("PATCH %s: %+v", path, got)
		}
	}
	if got := n.get(n.ConsoleURL() + "/api/v1/nothing"); got.Problem.Type != "/problems/no-such-page" {
		t.Errorf("an address that is not described: %+v", got)
	}
	for _, ref := range strings.Split(raw, `"$ref": "#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(ref, `"`)
		if d.Components.Schemas[name] == nil {
			t.Errorf("%s is referred to and not there", name)
		}
	}
}

// TestWhoMayCallWhat walks every operation as no one, as a browser, and as each
// role: nothing but what is public answers without a token, cookies are no
// token, and a role opens what it says and no more.
func TestWhoMayCallWhat(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), manifest("shop"), says("one"))
	d, _ := describe(t, n)
	may := map[access.Role][]string{
		access.RoleDeveloper: {"publish", "promote", "askAgain", "askExemption", "renewGrant", "breakGlass", "activate", "rollBack", "withdraw", "certify", "pauseTrigger", "runTrigger", "redeliver", "deleteDeadLetter", "keyChallenge", "addKey", "deleteKey", "setSecret", "deleteSecret", "deleteRelease", "maintainApp", "endMaintenance", "suspendApp", "resumeApp", "deleteApp", "undeleteApp", "transferApp", "shareApp", "answerOffer", "renameApp", "setAudience", "answerAccess"},
		access.RoleReviewer:  {"decide", "withdraw", "decideRelease", "decideRequests", "delegate", "endDelegation", "certifyGrant", "askChanges", "suspendApp", "resumeApp", "quarantineApp", "endQuarantine"},
		access.RoleOperator:  {"breakGlass", "endDelegation", "withdraw", "activate", "rollBack", "pauseTrigger", "runTrigger", "redeliver", "deleteDeadLetter", "keyChallenge", "addKey", "deleteKey", "listUsers", "getUser", "listWorkloads", "getLinks", "switchLinks", "putUser", "renameUser", "listProvisioning", "getProvisioning", "listProvisioningTokens", "newProvisioningToken", "revokeProvisioningToken", "linkPerson", "dismissConflict", "importPeople", "createGroup", "renameGroup", "deleteGroup", "addToGroup", "removeFromGroup", "createDomain", "deleteDomain", "setQuota", "clearQuota", "listQuotaSettings", "inviteUser", "doctor", "backup", "setSecret", "deleteSecret", "rotateSecrets", "deleteRelease", "maintainApp", "endMaintenance", "suspendApp", "resumeApp", "quarantineApp", "endQuarantine", "deleteApp", "undeleteApp", "transferApp", "shareApp", "answerOffer", "renameApp", "setAudience", "answerAccess"},
	}
	for _, role := range access.Roles() {
		if role != access.RoleAuditor {
			may[role] = append(may[role], "invoke", "inspect", "checkPolicy", "build", "commentOnRequest", "changed")
		}
	}
	may[access.RoleAuditor] = []string{"listUsers", "getUser", "listWorkloads", "listQuotaSettings"}
	// Anybody who is signed in may try these; whose thing it is decides then.
	own := []string{"listUserSessions", "endUserSession", "endUserSessions", "createServiceAccount", "changeServiceAccount", "deleteServiceAccount", "newServiceToken", "revokeServiceToken", "revokeGrant", "revokeExemption", "logs", "listDeadLetters", "listSecrets", "shrinkGrant", "getReleaseSource", "getBriefing", "listAccounts", "disconnectAccount", "listGroupPeople", "listAudiences", "getAudience", "listAccessRequests", "listAppWorkloads"}
	special := slices.Concat(may[access.RoleDeveloper], may[access.RoleReviewer], may[access.RoleOperator], own)
	tokens := map[access.Role]string{}
	for _, role := range access.Roles() {
		tokens[role] = n.token(string(role)+"@example.com", role)
	}
	for path, operations := range d.Paths {
		for method, op := range operations {
			url, method := n.ConsoleURL()+fill(path), strings.ToUpper(method)
			body, media := bodyFor(op.OperationID)
			if op.Security != nil && len(*op.Security) == 0 {
				continue // public
			}
			if got := n.do(method, url, body, "Content-Type", media); got.Status != 401 || got.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s without a token: %d", op.OperationID, got.Status)
			}
			if got := n.do(method, url, body, "Content-Type", media, "Cookie", "agora_session="+tokens[access.RoleOperator]); got.Status != 401 {
				t.Errorf("%s with a cookie: %d", op.OperationID, got.Status)
			}
			if got := n.do(method, url, body, "Content-Type", media, "Content-Encoding", "gzip"); got.Status != 415 {
				t.Errorf("%s with a compressed body: %d", op.OperationID, got.Status)
			}
			for _, role := range access.Roles() {
				allowed := slices.Contains(may[role], op.OperationID) || !slices.Contains(special, op.OperationID)
				if slices.Contains(own, op.OperationID) {
					continue
				}
				got := n.do(method, url, body, "Content-Type", media, "Authorization", "Bearer "+tokens[role])
				if refused := got.Problem.Type == "/problems/forbidden"; refused == allowed {
					t.Errorf("%s as %s: %d %s", op.OperationID, role, got.Status, got.Problem.Detail)
				}
			}
		}
	}
}

// TestAuditor: an auditor reads everything that people did, of whomever it is, and changes nothing but
// the tokens that are their own; they may ask to be let into an app, as anybody may. Of the node's machinery, doctor and backups, they are told nothing.
func TestAuditor(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), manifest("shop", kvAsk), keeps(17))
	failed := n.failed()
	token := n.token("audit@example.com", access.RoleAuditor)
	paths := map[string]string{"getCall": "/calls/" + failed, "getUser": "/users/" + ada, "listQuotas": "/quotas?user=" + ada, "listGroups": "/groups?person=" + ada, "getNotice": "/notices/" + n.isTold("audit@example.com", "token.created").ID}
	d, _ := describe(t, n)
	reads, writes := 0, 0
	for path, operations := range d.Paths {
		for method, op := range operations {
			if op.Security != nil && len(*op.Security) == 0 {
				continue // public
			}
			url, method := n.ConsoleURL()+fill(path), strings.ToUpper(method)
			if p := paths[op.OperationID]; p != "" {
				url = n.ConsoleURL() + "/api/v1" + p
			}
			body, media := bodyFor(op.OperationID)
			got := n.do(method, url, body, "Content-Type", media, "Authorization", "Bearer "+token)
			refused := got.Status == http.StatusForbidden
			want := method != "GET"
			switch op.OperationID {
			case "newToken", "revokeToken", "endSession", "endSessions", "askAccess", "timestamp", "markNotices", "putNoticeSettings": // for themselves, and what keeps nothing
				want = false
			case "doctor", "backup", "keyChallenge", "getLinks", "listProvisioning", "getProvisioning", "listProvisioningTokens", "listUserSessions":
				want = true
			}
			if refused != want {
				t.Errorf("%s %s: %d %s", method, op.OperationID, got.Status, got.Problem.Detail)
			}
			if reads++; method != "GET" {
				reads, writes = reads-1, writes+1
			}
		}
	}
	if reads < 25 || writes < 35 {
		t.Errorf("%d reads and %d writes were tried", reads, writes)
	}
	if got := n.do("GET", n.ConsoleURL()+"/api/v1/apps/shop/logs", "", "Authorization", "Bearer "+token); got.Status != 200 {
		t.Errorf("the log of another's app: %d", got.Status)
	}
}

// bodyFor is a body that gets past the reader, so that the role is what decides.
func bodyFor(operation string) (body, media string) {
	const form = "--x\r\nContent-Disposition: form-data; name=\"manifest\"\r\n\r\nx\r\n--x\r\nContent-Disposition: form-data; name=\"module\"\r\n\r\nx\r\n--x--\r\n"
	switch operation {
	case "publish", "checkPolicy":
		return form, "multipart/form-data; boundary=x"
	case "setSecret":
		return "x", "application/octet-stream"
	case "certify":
		return "x", "application/pkcs10"
	case "timestamp":
		return "x", "application/timestamp-query"
	case "newToken":
		return `{"label":"x","scopes":["tokens:write"]}`, "application/json"
	case "promote":
		return `{"release":1,"to":"pilot"}`, "application/json"
	}
	return "{}", "application/json"
}

func TestStrictBodies(t *testing.T) {
	n := start(t)
	token := n.token(ops, access.RoleOperator)
	url := n.ConsoleURL() + "/api/v1/tokens"
	for _, k := range []struct {
		name, body, media string
		status            int
	}{
		{"fine", `{"label":"x"}`, "application/json; charset=utf-8", 201},
		{"an unknown key", `{"label":"x","colour":1}`, "application/json", 400},
		{"two documents", `{"label":"x"}{}`, "application/json", 400},
		{"cut off", `{"label":`, "application/json", 400},
		{"a form", `label=x`, "application/x-www-form-urlencoded", 415},
		{"no type", `{"label":"x"}`, "", 415},
		{"too large", `{"label":"` + strings.Repeat("x", 300<<10) + `"}`, "application/json", 413},
		{"deeply nested", strings.Repeat("[", 100_000), "application/json", 400},
		{"a label that is too long", `{"label":"` + strings.Repeat("x", 101) + `"}`, "application/json", 422},
	} {
		got := n.do("POST", url, k.body, "Content-Type", k.media, "Authorization", "Bearer "+token)
		if got.Status != k.status || (got.Status >= 400 && got.Problem.Remedy.Summary == "") {
			t.Errorf("%s: %d %s", k.name, got.Status, got.Body)
		}
	}
	parts := "--x\r\nContent-Disposition: form-data; name=\"surprise\"\r\n\r\n1\r\n--x--\r\n"
	if got := n.do("POST", n.ConsoleURL()+"/api/v1/policy/check", parts, "Content-Type", "multipart/form-data; boundary=x", "Authorization", "Bearer "+token); got.Status != 400 {
		t.Errorf("an unknown part: %+v", got)
	}
	for _, path := range []string{"/usage?by=colour", "/usage?from=yesterday", "/events?limit=0", "/requests?status=lost", "/apps/shop/logs?limit=x"} {
		if got := n.do("GET", n.ConsoleURL()+"/api/v1"+path, "", "Authorization", "Bearer "+token); got.Status != 400 && got.Status != 422 {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

// TestClientSeesTheWholeWire decodes what the node sends into the client's
// types, strictly: a field that a client does not know fails.
func TestClientSeesTheWholeWire(t *testing.T) {
	n := start(t)
	all := n.as(ada, access.Roles()...)
	text, module := example(t, "guestbook")
	p := n.publish(all, text, module)
	n.publish(all, manifest("shop", "title = \"Shop\"\ndescription = \"x\"\n[config]\na = \"b\"\n[capabilities.config]"), says("one"))
	if _, err := n.rex().Decide(t.Context(), p.Requests[0].ID, true, "fine"); err != nil {
		t.Fatal(err)
	}
	n.get(p.URL)
	if _, err := all.SetSecret(t.Context(), "guestbook", "mail", []byte("hunter2")); err != nil {
		t.Fatal(err)
	}
	private, public := keyPair(t)
	n.addKey(all, private, public)
	grants, err := all.Grants(t.Context(), "guestbook")
	if err != nil || len(grants) == 0 {
		t.Fatal(grants, err)
	}
	group, err := all.CreateGroup(t.Context(), "Sales")
	if err == nil {
		_, err = all.AddToGroup(t.Context(), group.ID, ada)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all.Delegate(t.Context(), client.NewDelegation{To: rex, Concerns: []string{"security"}, Until: time.Now().Add(time.Hour), Reason: "away"}); err != nil {
		t.Fatal(err)
	}
	if _, err := all.SetQuota(t.Context(), "apps", client.SetQuota{QuotaOf: client.QuotaOf{User: ada}, Limit: 300, Reason: "x", Until: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	told := n.isTold(ada, "request.approved")
	token := n.token(ada)
	for path, v := range map[string]any{
		"/info": &client.Info{}, "/whoami": &client.Whoami{}, "/apps": new(listOf[client.App]), "/apps/shop": &client.App{},
		"/apps/shop/releases": new(listOf[client.Release]), "/apps/guestbook/releases/1": &client.Release{}, "/apps/shop/activations": new(listOf[client.Activation]),
		"/apps/guestbook/logs": new(listOf[client.LogLine]), "/usage?by=app,hour&over=day": &client.Report{}, "/usage/samples": new(listOf[client.Sample]), "/events": new(listOf[abi.Event]),
		"/requests": new(listOf[client.Request]), "/grants": new(listOf[client.Grant]), "/trust/keys": new(listOf[client.Key]),
		"/apps/guestbook/secrets": new(listOf[client.Secret]), "/tokens": new(listOf[client.Credential]), "/sessions": new(listOf[client.SignedIn]), "/users/" + ada + "/sessions": new(listOf[client.SignedIn]), "/notices": new(listOf[client.Notice]), "/notices/" + told.ID: &client.Notice{}, "/notice-settings": &client.NoticeSettings{}, "/groups": new(listOf[client.Group]), "/groups?person=" + ada: new(listOf[client.Group]), "/groups/sales": &client.Group{}, "/groups/sales/people": new(listOf[client.GroupPerson]), "/users": new(listOf[client.User]), "/delegations": new(listOf[client.ShownDelegation]), "/sign-in/links": &client.Links{}, "/users/" + ada: &client.User{}, "/users/" + ada + "/accounts": new(listOf[client.Account]), "/grants/" + grants[0].ID: &client.Grant{}, "/requests/" + p.Requests[0].ID: &client.Request{}, "/domains": new(listOf[client.Domain]), "/quotas?app=shop&group=sales": new(listOf[client.Quota]), "/quotas/settings": new(listOf[client.QuotaSetting]), "/doctor": new(listOf[client.Check]), "/apps/guestbook/triggers": new(listOf[client.Trigger]), "/apps/guestbook/dead-letters": new(listOf[client.Delivery]),
	} {
		got := n.do("GET", n.ConsoleURL()+"/api/v1"+path, "", "Authorization", "Bearer "+token)
		if got.Status != 200 {
			t.Errorf("%s: %+v", path, got)
			continue
		}
		d := json.NewDecoder(strings.NewReader(got.Body))
		d.DisallowUnknownFields()
		if err := d.Decode(v); err != nil {
			t.Errorf("%s: %v\n%s", path, err, got.Body)
			continue
		}
		// And nothing is lost on the way: what the client writes is what it read.
		back, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var was, is any
		if json.Unmarshal([]byte(got.Body), &was) != nil || json.Unmarshal(back, &is) != nil || !reflect.DeepEqual(was, is) {
			t.Errorf("%s: sent %s\nread %s", path, got.Body, back)
		}
	}
}

type listOf[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// TestSignIn: a link works once, and a session is a token until it is ended.
func TestSignIn(t *testing.T) {
	n := start(t)
	link, err := n.Welcome(t.Context(), ada, access.RoleDeveloper)
	if err != nil {
		t.Fatal(err)
	}
	anybody, err := client.New(n.ConsoleURL(), "")
	if err != nil {
		t.Fatal(err)
	}
	session, signed, err := anybody.SignIn(t.Context(), link)
	if err != nil || session.User != ada {
		t.Fatalf("%+v, %v", session, err)
	}
	if who, err := signed.Whoami(t.Context()); err != nil || who.Via != "session" {
		t.Errorf("%+v, %v", who, err)
	}
	if _, _, err := anybody.SignIn(t.Context(), link); problemOf(t, err).Type != "/problems/sign-in-link-used" {
		t.Errorf("the link worked twice: %v", err)
	}
	if _, _, err := anybody.SignIn(t.Context(), session.Secret); problemOf(t, err).Status != 401 {
		t.Errorf("a session is no link: %v", err)
	}
	events, err := signed.Events(t.Context(), 0, 100)
	if last := events[len(events)-1]; err != nil || last.Kind != "user.signed_in" || last.Actor != ada {
		t.Errorf("the feed ends with %+v, %v", last, err)
	}
	token, err := signed.NewToken(t.Context(), client.NewToken{Label: "ci", Hours: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := signed.RevokeToken(t.Context(), token.ID); err != nil {
		t.Fatal(err)
	}
	revoked, err := client.New(n.ConsoleURL(), token.Secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := revoked.Whoami(t.Context()); problemOf(t, err).Status != 401 {
		t.Errorf("a revoked token works: %v", err)
	}
}

// TestConsoleForms: a form from another site does nothing, whatever cookie the
// browser sends along, and no page may be framed or run inline scripts.
func TestConsoleForms(t *testing.T) {
	n := start(t)
	link, err := n.Welcome(t.Context(), ada, access.Roles()...)
	if err != nil {
		t.Fatal(err)
	}
	_, secret, _ := strings.Cut(link, "link=")
	in := n.do("POST", n.ConsoleURL()+"/sign-in", "link="+secret, "Content-Type", "application/x-www-form-urlencoded")
	cookie, _, _ := strings.Cut(in.Header.Get("Set-Cookie"), ";")
	if in.Status != 303 || !strings.Contains(in.Header.Get("Set-Cookie"), "HttpOnly") || !strings.Contains(in.Header.Get("Set-Cookie"), "SameSite=Strict") {
		t.Fatalf("sign-in: %+v", in)
	}
	form := []string{"Content-Type", "application/x-www-form-urlencoded", "Cookie", cookie}
	for _, from := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", strings.TrimSuffix(n.AppURL("hello"), "/")}} {
		if got := n.do("POST", n.ConsoleURL()+"/settings/tokens", "label=x&days=1", append(slices.Clone(form), from...)...); got.Status != 403 || strings.Contains(got.Body, "agora_tok_") {
			t.Errorf("a form from another site (%v): %d", from, got.Status)
		}
	}
	got := n.do("GET", n.ConsoleURL()+"/", "", "Cookie", cookie)
	policy := got.Header.Get("Content-Security-Policy")
	if got.Status != 200 || !strings.Contains(policy, "script-src 'self'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("%d %s", got.Status, policy)
	}
	if strings.Contains(got.Body, "<script>") || strings.Contains(got.Body, " style=") || strings.Contains(got.Body, " onclick=") {
		t.Error("the page has something inline that its own policy forbids")
	}
	for _, next := range []string{"//evil.example/", "https://evil.example/", `/\evil.example`, "javascript:alert(1)"} {
		link, err := n.Welcome(t.Context(), ada)
		if err != nil {
			t.Fatal(err)
		}
		_, secret, _ := strings.Cut(link, "link=")
		in := n.do("POST", n.ConsoleURL()+"/sign-in", "link="+secret+"&next="+next, "Content-Type", "application/x-www-form-urlencoded")
		if in.Header.Get("Location") != "/" {
			t.Errorf("after signing in, %q leads to %q", next, in.Header.Get("Location"))
		}
	}
	if got := n.get(n.ConsoleURL() + "/apps/x"); got.Status != 303 || !strings.HasPrefix(got.Header.Get("Location"), "/sign-in?next=") {
		t.Errorf("a page without a session: %+v", got)
	}
}

// TestOtherSites: what costs work is not another site's to ask. Links that people follow work,
// and browsers that do not say where a request comes from are believed.
func TestOtherSites(t *testing.T) {
	n := start(t)
	cookie := n.session(ada, access.RoleDeveloper)
	visit := []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	frame := []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}
	image := []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}
	script := []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}
	for _, k := range []struct {
		site, path string
		how        []string
		status     int
	}{
		{"cross-site", "/usage", visit, 200}, {"same-site", "/usage", visit, 200}, {"none", "/usage.csv", visit, 200},
		{"cross-site", "/usage", frame, 403}, {"cross-site", "/usage", image, 403}, {"cross-site", "/", script, 403}, {"same-site", "/", script, 403},
		{"same-origin", "/", script, 200}, {"same-origin", "/usage.csv", visit, 200}, {"", "/usage.csv", nil, 200}, {"", "/", nil, 200},
		{"cross-site", "/usage.csv", visit, 403}, {"cross-site", "/usage.json", visit, 403}, {"same-site", "/usage.csv", visit, 403},
		{"cross-site", "/sign-in?link=x", visit, 200}, {"cross-site", "/metrics", image, 403}, {"surprise", "/", image, 403},
	} {
		header := append([]string{"Cookie", cookie}, k.how...)
		if k.site != "" {
			header = append(header, "Sec-Fetch-Site", k.site)
		}
		if got := n.do("GET", n.ConsoleURL()+k.path, "", header...); got.Status != k.status {
			t.Errorf("%s asks for %s with %v: %d, want %d", k.site, k.path, k.how, got.Status, k.status)
		}
	}
}

// TestProgressIsTold: an upload tells its steps as they begin.
func TestProgressIsTold(t *testing.T) {
	n := start(t)
	c := n.ada()
	var steps []string
	module := says("x")
	if _, err := c.Publish(t.Context(), manifest("shop"), module, signAs(t, c, module), func(s string) { steps = append(steps, s) }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"reading the manifest", "reading the module", "checking the signature", "asking the rules", "compiling", "trying the app", "comparing the source", "storing the release"}; !slices.Equal(steps, want) {
		t.Errorf("steps %q", steps)
	}
	if _, err := client.New("ftp://x", ""); err == nil {
		t.Error("an address that is none")
	}
	gone, err := client.New("http://127.0.0.1:1", "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gone.Apps(t.Context()); !errors.Is(err, client.ErrUnreachable) {
		t.Errorf("nobody there: %v", err)
	}
}
