package node_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/node"
)

// fetches is an app that makes one call of fetch and returns what came back.
func fetches(r abi.Request) []byte {
	return wasmtest.Calls("app:fetch/v1", "do", abi.AppendRequest(nil, &r))
}

// TestFetch is the whole way: declared, reviewed, granted, allowed by the
// operator, done; and refused where any of these is missing.
func TestFetch(t *testing.T) {
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		fmt.Fprintf(w, "%s %s", r.Method, r.URL)
	}))
	t.Cleanup(s.Close)
	get := abi.Request{Method: "GET", Host: s.URL, Path: "/page", Query: "n=1"}
	grant := fmt.Sprintf("[capabilities.fetch]\nallow = [%q]", s.URL)

	closed := start(t)
	p := closed.publish(closed.ada(), manifest("asks", grant), fetches(get))
	if got := closed.get(p.Preview); got.Status != 502 || got.Problem.Title != "The app cannot run at the moment" {
		t.Errorf("without a grant: %+v", got)
	}
	closed.decide(p)
	if got := closed.get(p.URL); got.Status != 502 || asked != 0 {
		t.Errorf("with a grant, into a network that the operator does not allow: %+v", got)
	}
	logs, err := closed.ada().Logs(t.Context(), "asks", 10)
	if err != nil || !strings.Contains(fmt.Sprint(logs), "--egress-allow") {
		t.Errorf("the owner is not told: %+v, %v", logs, err)
	}

	open := start(t, func(o *node.Options) { o.EgressAllow = []string{"127.0.0.0/8"} })
	p = open.publish(open.ada(), manifest("asks", grant), fetches(get))
	open.decide(p)
	if got := open.get(p.URL); got.Status != 200 || got.Body != "GET /page?n=1" || asked != 1 {
		t.Errorf("got %+v after %d requests", got, asked)
	}
	get.Host = "http://elsewhere.example"
	q := open.publish(open.ada(), manifest("asks", grant), fetches(get))
	if got := open.get(q.URL); got.Status != 502 {
		t.Errorf("an origin that is not listed: %+v", got)
	}
	if logs, err = open.ada().Logs(t.Context(), "asks", 10); err != nil || !strings.Contains(fmt.Sprint(logs), "elsewhere.example") {
		t.Errorf("the owner is not told: %+v, %v", logs, err)
	}
}

// TestDigest is the example app on a node with a model: it fetches a page, asks
// the model about it, and streams what it says to its caller.
func TestDigest(t *testing.T) {
	words := strings.Repeat("words ", 1000) // more than the guest's first buffer
	var fetched, asked []string
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetched = append(fetched, r.URL.Path)
		fmt.Fprint(w, "<h1>A page</h1> of "+words)
	}))
	t.Cleanup(page.Close)
	model := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		asked = append(asked, string(raw))
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":\"Words.\"}}]}\n\n")
		fmt.Fprintf(w, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":30,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(model.Close)
	models := filepath.Join(t.TempDir(), "llm.json")
	text := fmt.Sprintf(`{"upstreams":[{"name":"u","base_url":"%s/v1"}],"models":[{"name":"small","upstream":"u","id":"m","prompt":1,"answer":2,"classifications":["public"]}]}`, model.URL)
	if err := os.WriteFile(models, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n := start(t, func(o *node.Options) { o.EgressAllow, o.LLM = []string{"127.0.0.0/8"}, models })
	manifest, module := example(t, "digest")
	p := n.publish(n.ada(), bytes.ReplaceAll(manifest, []byte("https://example.com"), []byte(page.URL)), module)
	if len(p.Requests) != 2 {
		t.Fatalf("a release that needs two grants: %+v", p)
	}
	n.decide(p)
	text = "A page of " + strings.TrimSpace(words)
	if got := n.get(p.URL + "text"); got.Body != text || len(fetched) != 1 {
		t.Errorf("the text, fetched %d times: %+v", len(fetched), got)
	}
	if got := n.get(p.URL + "digest"); got.Body != "event: bit\ndata: Words.\n\nevent: used\ndata: 32 tokens, by small\n\nevent: done\ndata: \n\n" {
		t.Errorf("the digest: %+v", got)
	}
	if len(asked) != 1 || !strings.Contains(asked[0], `"content":"`+text+`"`) || !strings.Contains(asked[0], `"model":"m"`) || !strings.Contains(asked[0], `"max_tokens":300`) {
		t.Errorf("the model was asked %s", asked)
	}
	// What was spent is kept among the apps' data, where everything is accounted for.
	checks, err := n.ops().Doctor(t.Context())
	if err != nil || len(checks) == 0 {
		t.Fatal(err)
	}
	for _, c := range checks {
		if !c.OK {
			t.Errorf("the doctor says %+v", c)
		}
	}
}

// TestCredential: the node attaches a secret that the owner set, to the one origin,
// and the app gets to see neither.
func TestCredential(t *testing.T) {
	var keys []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { keys = append(keys, r.Header.Get("X-Api-Key")) }))
	t.Cleanup(s.Close)
	n := start(t, func(o *node.Options) { o.EgressAllow = []string{"127.0.0.0/8"} })
	grant := fmt.Sprintf("[capabilities.fetch]\nallow = [%q]\ncredentials = [\"crm:X-Api-Key@%s\"]", s.URL, s.URL)
	p := n.publish(n.ada(), manifest("asks", grant), fetches(abi.Request{Method: "GET", Host: s.URL, Path: "/"}))
	n.decide(p)
	if got := n.get(p.URL); got.Status != 502 || len(keys) > 0 {
		t.Errorf("without the secret: %+v, %v", got, keys)
	}
	for _, value := range []string{"s3cret", "an0ther"} {
		if _, err := n.ada().SetSecret(t.Context(), "asks", "crm", []byte(value)); err != nil {
			t.Fatal(err)
		}
		if got := n.get(p.URL); got.Status != 200 || keys[len(keys)-1] != value {
			t.Errorf("with the secret %s: %+v, %v", value, got, keys)
		}
	}
	// What another release sends it to is a question for the reviewer.
	elsewhere := strings.Replace(grant, "crm:X-Api-Key", "crm:X-Other", 1)
	q := n.publish(n.ada(), manifest("asks", elsewhere), fetches(abi.Request{Method: "GET", Host: s.URL, Path: "/"}))
	if q.Active || len(q.Requests) != 1 {
		t.Errorf("a credential for another header needs no decision: %+v", q)
	}
	if logs, err := n.ada().Logs(t.Context(), "asks", 50); err != nil || strings.Contains(fmt.Sprint(logs), "s3cret") || !strings.Contains(fmt.Sprint(logs), "Store the secret") {
		t.Errorf("the log says %v, %v", logs, err)
	}
}

func TestEgressAllowIsChecked(t *testing.T) {
	for _, text := range []string{"10.0.0.1", "10.0.0.1/8", "everything", ""} {
		_, err := node.New(t.Context(), node.Options{DataDir: t.TempDir(), Listen: "127.0.0.1:0", EgressAllow: []string{text}})
		if err == nil || !strings.Contains(err.Error(), "--egress-allow") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
