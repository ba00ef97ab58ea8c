package host_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host"
)

// fetches is an app that makes one call of fetch and answers what came back.
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
	if got := closed.get(p.Preview); got.Status != 502 || got.Problem.Title != "The app lacks a grant" {
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

	open := start(t, func(o *host.Options) { o.EgressAllow = []string{"127.0.0.0/8"} })
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

func TestEgressAllowIsChecked(t *testing.T) {
	for _, text := range []string{"10.0.0.1", "10.0.0.1/8", "everything", ""} {
		_, err := host.New(t.Context(), host.Options{DataDir: t.TempDir(), Listen: "127.0.0.1:0", EgressAllow: []string{text}})
		if err == nil || !strings.Contains(err.Error(), "--egress-allow") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
