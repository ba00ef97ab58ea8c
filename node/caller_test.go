package node_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/sdk/client"
	appsdk "github.com/agora-host/agora/sdk/guest"
)

// saw is the request that an app saw, which it sent back as the body of its response.
func saw(t testing.TB, body string) *appsdk.Request {
	t.Helper()
	r, err := abi.DecodeRequest([]byte(body))
	if err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	return &appsdk.Request{Request: r}
}

// keysOf reads the keys that a node publishes.
func (n *testNode) keysOf() (set jose.JSONWebKeySet) {
	n.t.Helper()
	a := n.get(n.ConsoleURL() + "/.well-known/jwks.json")
	if err := json.Unmarshal([]byte(a.Body), &set); err != nil || a.Status != 200 || a.Header.Get("Content-Type") != "application/jwk-set+json" {
		n.t.Fatalf("%+v, %v", a, err)
	}
	return set
}

// TestCaller: an app that asks for it is told of each person who calls it, and another service can check
// that; of two apps that ask for pseudonyms neither knows the person of the other; one that asks for nothing
// is told nothing.
func TestCaller(t *testing.T) {
	n := start(t, audiences)
	asks := map[string]string{"named": "[access]\nidentity = \"person\"", "one": "[access]\nidentity = \"pseudonym\"", "two": "[access]\nidentity = \"pseudonym\"", "none": ""}
	for app, more := range asks {
		n.publish(n.ada(), manifest(app, more), wasmtest.Mirror())
		if _, err := n.ada().SetAudience(t.Context(), client.Audience{App: app, Tier: abi.TierSandbox, Kind: "organisation"}, ""); err != nil {
			t.Fatal(err)
		}
	}
	keys := n.keysOf()
	ids := map[string]string{}
	for _, who := range []string{ada, "bob@example.com"} {
		v := n.guest()
		v.enters(who, access.RoleDeveloper)
		for app := range asks {
			s := v.open(n.AppURL(app))
			u, ok := saw(t, s.body).User()
			if again, _ := saw(t, v.open(n.AppURL(app)+"x").body).User(); again.ID != u.ID {
				t.Errorf("%s at %s: %q, then %q", who, app, u.ID, again.ID)
			}
			if ok != (app != "none") {
				t.Errorf("%s at %s: %+v", who, app, u)
			}
			if !ok {
				continue
			}
			if was := ids[u.ID]; was != "" {
				t.Errorf("%s at %s is %s, too", who, app, was)
			}
			ids[u.ID] = who + " at " + app
			name := ""
			if app == "named" && who == ada { // no reviewer has let it into this tier
				name = who
			}
			token, err := jwt.ParseSigned(u.Token, []jose.SignatureAlgorithm{jose.ES256})
			if err != nil {
				t.Fatal(err)
			}
			var claims jwt.Claims
			var all map[string]any
			err = token.Claims(keys, &claims, &all)
			if err == nil {
				err = claims.ValidateWithLeeway(jwt.Expected{Issuer: n.ConsoleURL(), Subject: u.ID, AnyAudience: jwt.Audience{strings.TrimSuffix(n.AppURL(app), "/")}, Time: time.Now()}, 0)
			}
			if said, _ := all["name"].(string); err != nil || u.Name != name || said != name || u.Via != "session" || strings.Contains(u.ID, "u_") {
				t.Errorf("%s at %s: %+v, %v, %v", who, app, u, all, err)
			}
		}
	}
}

// TestCallerSurvives: people are who they were at an app after they are renamed and after the node starts again.
func TestCallerSurvives(t *testing.T) {
	dir := t.TempDir()
	n := startIn(t, dir, audiences)
	n.publish(n.ada(), manifest("shop", "[access]\nidentity = \"person\""), wasmtest.Mirror())
	is := func(n *testNode, who string) appsdk.User {
		v := n.guest()
		v.enters(who, access.RoleDeveloper)
		u, _ := saw(t, v.open(n.AppURL("shop")).body).User()
		return u
	}
	first := is(n, ada)
	const now = "ada.lovelace@example.com"
	if _, err := n.ops().RenameUser(t.Context(), ada, now); err != nil {
		t.Fatal(err)
	}
	if u := is(n, now); u.ID != first.ID || u.Name != now {
		t.Errorf("renamed: %+v, before %+v", u, first)
	}
	n.stop()
	if _, err := os.Stat(filepath.Join(dir, "identity.keys")); err != nil {
		t.Fatal(err)
	}
	n = startIn(t, dir, audiences)
	if u := is(n, now); u.ID != first.ID {
		t.Errorf("started again: %+v, before %+v", u, first)
	}
}

// TestForgedCallers: whatever a caller writes, an app learns who calls it from the node alone: signed in or
// not, in every spelling, twice, in trailers, folded, through Connection, in an upgrade, and at a path that is open to all.
func TestForgedCallers(t *testing.T) {
	n := start(t, audiences)
	n.publish(n.ada(), manifest("shop", "[access]\nidentity = \"pseudonym\""), wasmtest.Mirror())
	n.publish(n.ada(), manifest("open", "[access]\nidentity = \"pseudonym\""), wasmtest.Mirror())
	if err := n.Audiences.OpenByNode(t.Context(), "open", abi.TierSandbox); err != nil {
		t.Fatal(err)
	}
	v := n.guest()
	v.enters(ada, access.RoleDeveloper)
	u, ok := saw(t, v.open(n.AppURL("shop")).body).User()
	if !ok {
		t.Fatal("she is nobody")
	}
	at, _ := url.Parse(n.AppURL("shop"))
	cookie := ""
	for _, c := range v.Jar.Cookies(at) {
		cookie += c.Name + "=" + c.Value + "; "
	}
	var forged []string
	for _, name := range []string{"Id", "Name", "Via", "Token"} {
		for _, spelling := range []string{
			"Agora-User-" + name, "agora-user-" + name, "AGORA-USER-" + name, "Agora_User_" + name, "agora_user-" + name, "Agora-User_" + name, "Agora.User." + name, "Agora~User~" + name, "Agora-User." + name,
			"X-Agora-User-" + name, "x-x-agora-user-" + name, "X_Agora_User_" + name, "HTTP_AGORA_USER_" + name, "Agora-User-" + name + "\r\nAgora-User-" + name, "agora!user-" + name,
		} {
			forged = append(forged, strings.ReplaceAll(spelling, "\r\n", ": p_forged\r\n")+": p_forged\r\n")
		}
	}
	all := strings.Join(forged, "")
	asks := map[string]string{
		"headers":    "GET / HTTP/1.1\r\n" + all + "\r\n",
		"folded":     "GET / HTTP/1.1\r\nAccept: x\r\n Agora-User-Id: p_forged\r\n\r\n",
		"connection": "GET / HTTP/1.1\r\nConnection: Agora-User-Id, agora-user-token, Agora-User-Via, keep-alive\r\n" + all + "\r\n",
		"trailers":   "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTrailer: Agora-User-Id, Agora-User-Name\r\nTE: trailers\r\n\r\n1\r\nx\r\n0\r\nAgora-User-Id: p_forged\r\nAgora-User-Name: p_forged\r\n\r\n",
		"unsaid":     "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nAgora-User-Id: p_forged\r\n\r\n",
		"upgrade":    "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + all + "\r\n",
		"h2c":        "GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n" + all + "\r\n",
		"events":     "GET / HTTP/1.1\r\nAccept: text/event-stream\r\n" + all + "\r\n",
	}
	for how, text := range asks {
		for _, app := range []string{"shop", "open"} {
			head, rest, _ := strings.Cut(text, "\r\n")
			signed := ""
			if app == "shop" {
				signed = "Cookie: " + cookie + "\r\n"
			}
			at, _ := url.Parse(n.AppURL(app))
			status, body := n.raw(head + "\r\nHost: " + at.Host + "\r\n" + signed + rest)
			if status != 200 {
				t.Errorf("%s at %s: %d %s", how, app, status, body)
				continue
			}
			if strings.Contains(strings.ReplaceAll(body, "Agora-User-Id: p_forged", ""), "p_forged") && how != "folded" || strings.Count(body, "p_forged") > 1 {
				t.Errorf("%s at %s: the app is told a caller's word: %q", how, app, body)
			}
			got, is := saw(t, body).User()
			if is != (app == "shop") || is && (got.ID != u.ID || got.Via != "session" || got.Name != "" || got.Token == "") {
				t.Errorf("%s at %s: %+v", how, app, got)
			}
			ids := 0
			for _, f := range saw(t, body).Header {
				if strings.EqualFold(f.Name, abi.UserIDHeader) {
					ids++
				}
			}
			if ids > 1 {
				t.Errorf("%s at %s: %d ids", how, app, ids)
			}
		}
	}
}

// raw sends bytes on a connection of its own, and returns the status and the body of what comes.
func (n *testNode) raw(text string) (int, string) {
	n.t.Helper()
	c, err := net.Dial("tcp", n.Addr().String())
	if err != nil {
		n.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		n.t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		n.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		n.t.Fatalf("%.60q: %v", text, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestCallerIsReviewed: what an app asks to be told of people stands in what its reviewer sees; the reviewer's
// approval has it told the names of people; data that is public rules that out.
func TestCallerIsReviewed(t *testing.T) {
	n := start(t, audiences)
	_, err := n.ada().Publish(t.Context(), []byte(strings.Replace(string(manifest("shop", "[access]\nidentity = \"person\"")), `"internal"`, `"public"`, 1)), wasmtest.Mirror(), signAs(t, n.ada(), wasmtest.Mirror()), nil)
	if p := problemOf(t, err); !strings.Contains(fmt.Sprint(p.Findings), "identity.classification") {
		t.Fatalf("%+v", p)
	}
	more := "title = \"Shop\"\ndescription = \"Sells.\"\n"
	n.publish(n.ada(), manifest("shop", more), wasmtest.Mirror())
	n.publish(n.ada(), manifest("shop", more+"[access]\nidentity = \"person\""), wasmtest.Mirror())
	first, err := n.ada().Promote(t.Context(), "shop", 1, abi.TierPilot, "ready")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.rex().Decide(t.Context(), first.ID, true, "fine"); err != nil {
		t.Fatal(err)
	}
	q, err := n.ada().Promote(t.Context(), "shop", 2, abi.TierPilot, "it greets people")
	if err != nil {
		t.Fatal(err)
	}
	changed := false
	for _, c := range q.Changes {
		changed = changed || c.Path == "access.identity" && c.Now == "person"
	}
	if q.Reviewed.Identity != "person" || !changed || !strings.Contains(fmt.Sprint(q.Findings), "identity.person") {
		t.Errorf("%+v", q)
	}
	if _, err := n.rex().Decide(t.Context(), q.ID, true, "fine"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.ada().SetAudience(t.Context(), client.Audience{App: "shop", Tier: abi.TierPilot, Kind: "organisation"}, ""); err != nil {
		t.Fatal(err)
	}
	v := n.guest()
	v.enters("bob@example.com")
	if u, _ := saw(t, v.open(strings.Replace(n.AppURL("shop"), "//shop", "//pilot--shop", 1)).body).User(); u.Name != "bob@example.com" {
		t.Errorf("in the pilot: %+v", u)
	}
}
