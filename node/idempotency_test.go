package node_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// TestIdempotencyKey: a write with a key is served once, whatever the write is; a repeat is given the
// same response, by the next process as well; and no secret is kept for it.
func TestIdempotencyKey(t *testing.T) {
	dir := t.TempDir()
	var shift atomic.Int64
	clock := func(o *node.Options) { o.Now = func() time.Time { return time.Now().Add(time.Duration(shift.Load())) } }
	n := startIn(t, dir, clock)
	n.publish(n.ada(), manifest("shop"), says("one"))
	token := n.token(ops, access.RoleOperator, access.RoleDeveloper)
	send := func(method, path, body, key string) answer {
		t.Helper()
		media := "application/json"
		if strings.Contains(path, "/secrets/") {
			media = "application/octet-stream"
		}
		return n.do(method, n.ConsoleURL()+"/api/v1"+path, body, "Authorization", "Bearer "+token, "Content-Type", media, "Idempotency-Key", key)
	}
	writes := []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/apps/shop/suspend", `{"reason":"a pause"}`, 200},
		{"POST", "/domains", `{"host":"shop.example.com","app":"shop"}`, 201},
		{"PUT", "/users/new@example.com", `{"roles":["viewer"]}`, 200},
		{"PUT", "/apps/shop/secrets/key", "hunter2", 200},
		{"DELETE", "/domains/shop.example.com", "", 204},
	}
	first := make([]answer, len(writes))
	for i, w := range writes {
		key := fmt.Sprint("key-", i)
		first[i] = send(w.method, w.path, w.body, key)
		if first[i].Status != w.status || first[i].Header.Get("Idempotency-Replayed") != "" {
			t.Fatalf("%s %s: %+v", w.method, w.path, first[i])
		}
		if got := send(w.method, w.path, w.body, `"`+key+`"`); got.Status != w.status || got.Body != first[i].Body || got.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s %s again: %+v", w.method, w.path, got)
		}
		if got := send("POST", "/apps/shop/resume", `{}`, key); got.Status != 409 || !strings.Contains(got.Body, "idempotency-key-reused") {
			t.Errorf("another request with the key of %s: %+v", w.path, got)
		}
	}
	made := send("POST", "/tokens", `{"label":"ci"}`, "token")
	again := send("POST", "/tokens", `{"label":"ci"}`, "token")
	if made.Status != 201 || again.Status != 409 || !strings.Contains(again.Body, "answer-secret") {
		t.Errorf("a token: %+v, then %+v", made, again)
	}
	if got := send("POST", "/apps/shop/resume", `{}`, "no key of one"); got.Status != 400 {
		t.Errorf("a key with blanks: %+v", got)
	}
	// A request that fails and changes nothing may be sent again, and then be served.
	if got := send("POST", "/domains", `{"host":"late.example.com","app":"late"}`, "late"); got.Status != 404 {
		t.Errorf("no such app: %+v", got)
	}
	if events, err := n.ops().FindEvents(t.Context(), client.EventFilter{App: "shop", Kinds: []string{"app.suspended", "secret.set"}}); err != nil || len(events) != 2 {
		t.Errorf("what was done: %+v, %v", events, err)
	}
	n.stop()

	n = startIn(t, dir, clock)
	for i, w := range writes {
		if got := send(w.method, w.path, w.body, fmt.Sprint("key-", i)); got.Status != w.status || got.Body != first[i].Body {
			t.Errorf("%s %s after a restart: %+v, want %+v", w.method, w.path, got, first[i])
		}
	}
	shift.Store(int64(25 * time.Hour))
	token = n.token(ops, access.RoleOperator)
	if got := send("DELETE", "/domains/shop.example.com", "", "key-4"); got.Status != 404 {
		t.Errorf("a day later the key is forgotten: %+v", got)
	}
}

// TestTwinsAtOneNode: requests with one key that come at once are served once.
func TestTwinsAtOneNode(t *testing.T) {
	n := start(t)
	token := n.token(ada, access.RoleDeveloper)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			got := n.do("POST", n.ConsoleURL()+"/api/v1/tokens", `{"label":"twin"}`, "Authorization", "Bearer "+token, "Content-Type", "application/json", "Idempotency-Key", "twin")
			if got.Status != 201 && got.Status != 409 {
				t.Errorf("%+v", got)
			}
		})
	}
	all.Wait()
	tokens, err := n.ada().Tokens(t.Context())
	twins := 0
	for _, k := range tokens {
		if k.Label == "twin" {
			twins++
		}
	}
	if err != nil || twins != 1 {
		t.Errorf("%d tokens were made, %v", twins, err)
	}
}

// TestClientRepeats: the client sends a write again, as the same, if the connection breaks after the
// node has served it.
func TestClientRepeats(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), manifest("shop"), says("one"))
	token := n.token(ada, access.RoleDeveloper)
	at, err := url.Parse("http://" + n.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(at) }}
	var broken atomic.Int64
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && broken.Add(1) <= 2 {
			forward.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler) // the node has answered, and no one hears it
		}
		forward.ServeHTTP(w, r)
	}))
	defer between.Close()
	c, err := client.New(between.URL, token)
	if err != nil {
		t.Fatal(err)
	}
	app, err := c.Suspend(t.Context(), "shop", "a pause")
	if err != nil || app.State != "suspended" || broken.Load() != 3 {
		t.Errorf("%+v, %v after %d tries", app, err, broken.Load())
	}
	events, err := n.ops().FindEvents(t.Context(), client.EventFilter{App: "shop", Kinds: []string{"app.suspended"}})
	if err != nil || len(events) != 1 {
		t.Errorf("suspended %d times, %v", len(events), err)
	}
}
