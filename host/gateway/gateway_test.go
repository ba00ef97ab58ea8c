package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/gateway"
)

// app is a router to one app, and the app: it shows what it was given.
type app struct {
	limit    int64
	response abi.Response
	err      error
	saw      *abi.Request
}

func (a *app) Route(_ context.Context, host string) (gateway.Route, error) {
	if host != "app.test" {
		return nil, errors.New("no such host")
	}
	return a, nil
}

func (a *app) Invoke(_ context.Context, _ string, r *http.Request, stream abi.Stream) (abi.Response, error) {
	a.saw = new(abi.Request)
	if err := gateway.Frame(a.saw, r, a.limit, func(name string) bool { return name == "session" }); err != nil {
		return abi.Response{}, err
	}
	return a.response, a.err
}

func serve(a *app, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	gateway.New(gateway.Options{Router: a, WriteFault: func(w http.ResponseWriter, _ *http.Request, id string, err error) {
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, id, " ", err)
	}}).ServeHTTP(w, r)
	return w
}

func TestRequestFrame(t *testing.T) {
	a := &app{limit: 10, response: abi.Response{Status: 200}}
	r := httptest.NewRequest("POST", "http://app.test/a%2Fb/%C3%BC?x=1&y=%20", strings.NewReader("0123456789"))
	for name, value := range map[string]string{
		"Cookie": "mine=1; session=secret; other=2", "Connection": "close, X-Hop", "X-Hop": "1", "Upgrade": "h2c", "X-Stays": "1", "Proxy-Authorization": "secret",
		"Agora-Trigger": "cron", "agora_trigger": "cron", "AGORA-ATTEMPT": "1",
	} {
		r.Header.Set(name, value)
	}
	if w := serve(a, r); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if a.saw.Path != "/a%2Fb/%C3%BC" || a.saw.Query != "x=1&y=%20" || a.saw.Host != "app.test" || string(a.saw.Body) != "0123456789" || a.saw.Method != "POST" {
		t.Errorf("saw %+v", a.saw)
	}
	if got := fmt.Sprint(a.saw.Header); got != "[{Cookie mine=1; other=2} {X-Stays 1}]" {
		t.Errorf("headers %s", got)
	}
	again := a.saw // a frame that is filled in again keeps nothing
	plain := httptest.NewRequest("GET", "http://app.test/", nil)
	if err := gateway.Frame(again, plain, 10, nil); err != nil || len(again.Header) != 0 || again.Body != nil || again.Query != "" || again.Path != "/" {
		t.Errorf("filled in again: %+v, %v", again, err)
	}
	for name, body := range map[string]io.Reader{"said": strings.NewReader("0123456789a"), "unsaid": io.MultiReader(strings.NewReader("0123456789a"))} {
		if w := serve(a, httptest.NewRequest("POST", "http://app.test/", body)); w.Code != http.StatusTeapot || !strings.Contains(w.Body.String(), "limit of 10 bytes") {
			t.Errorf("a body over the limit, its length %s: %d %s", name, w.Code, w.Body)
		}
	}
}

// TestNamesOfHeaders: no header reaches an app under a name that its variables share with another
// one, or that libraries obey.
func TestNamesOfHeaders(t *testing.T) {
	a := &app{limit: 10, response: abi.Response{Status: 200}}
	r := httptest.NewRequest("GET", "http://app.test/", nil)
	r.Header = http.Header{"X-Auth-User": {"alice"}, "X-Tag": {"one", "two"}, "Sec-Ch-Ua-Model2": {"x"}}
	for _, name := range []string{
		"X_Auth_User", "X_auth-User", "x-auth_user", "X.Auth.User", "X-Auth.user", "X~auth~user", "X!auth", "X'a", "_", "Content_Length", "Content_Type", "Cookie_", "Proxy", "Agora_Trigger",
		"Agora-Client", "X Auth User",
	} {
		r.Header[name] = []string{"admin"}
	}
	if w := serve(a, r); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if got := fmt.Sprint(a.saw.Header); got != "[{Sec-Ch-Ua-Model2 x} {X-Auth-User alice} {X-Tag one} {X-Tag two}]" {
		t.Errorf("headers %s", got)
	}
}

func TestResponse(t *testing.T) {
	a := &app{response: abi.Response{Status: 201, Body: []byte("body"), Header: []abi.Field{
		{Name: "content-type", Value: "text/plain"}, {Name: "Set-Cookie", Value: "a=1"}, {Name: "Set-Cookie", Value: "b=2; Domain=test"},
		{Name: "Content-Length", Value: "9999"}, {Name: "Transfer-Encoding", Value: "chunked"}, {Name: "Connection", Value: "close"}, {Name: "Agora-Invocation", Value: "forged"},
	}}}
	w := serve(a, httptest.NewRequest("GET", "http://app.test/", nil))
	h := w.Header()
	if w.Code != 201 || w.Body.String() != "body" || h.Get("Content-Type") != "text/plain" || h.Get("Content-Length") != "4" {
		t.Errorf("%d %v %s", w.Code, h, w.Body)
	}
	if got := h.Values("Set-Cookie"); len(got) != 1 || got[0] != "a=1" {
		t.Errorf("cookies %q", got)
	}
	if h.Get("Connection") != "" || h.Get("Transfer-Encoding") != "" || h.Get("Agora-Invocation") == "forged" || len(h.Values("Agora-Invocation")) != 1 {
		t.Errorf("headers %v", h)
	}
	if w := serve(a, httptest.NewRequest("HEAD", "http://app.test/", nil)); w.Body.Len() != 0 || w.Header().Get("Content-Length") != "4" {
		t.Errorf("HEAD: %q %v", w.Body, w.Header())
	}
	a.response = abi.Response{Status: 204, Body: []byte("none may be sent")}
	if w := serve(a, httptest.NewRequest("GET", "http://app.test/", nil)); w.Body.Len() != 0 || w.Header().Get("Content-Length") != "" {
		t.Errorf("204: %q %v", w.Body, w.Header())
	}
	a.response = abi.Response{Status: 200, Body: []byte("<script>")}
	if w := serve(a, httptest.NewRequest("GET", "http://app.test/", nil)); w.Header().Get("Content-Type") != "application/octet-stream" {
		t.Errorf("a body of no type: %v", w.Header())
	}
	a.err = abi.ErrTrap
	if w := serve(a, httptest.NewRequest("GET", "http://app.test/", nil)); w.Code != http.StatusTeapot || !strings.HasPrefix(w.Body.String(), w.Header().Get("Agora-Invocation")+" ") {
		t.Errorf("a fault: %d %s", w.Code, w.Body)
	}
	if w := serve(a, httptest.NewRequest("GET", "http://other.test/", nil)); w.Code != http.StatusTeapot {
		t.Errorf("another host: %d", w.Code)
	}
}

// TestOrdersToProxies: an app does not give orders to the proxy in front of its node, in a whole
// response or a streamed one.
func TestOrdersToProxies(t *testing.T) {
	a := &app{response: abi.Response{Status: 200, Header: []abi.Field{{Name: "Cache-Control", Value: "no-store"}, {Name: "X-Request-Id", Value: "1"}, {Name: "Expires", Value: "0"}}}}
	kept := len(a.response.Header)
	for _, name := range []string{
		"X-Accel-Redirect", "x-accel-redirect", "X_Accel_Redirect", "X-Accel-Limit-Rate", "X-Accel-Expires", "X-Sendfile", "X-SendFile2", "X-SENDFILE-TEMPORARY",
		"X-LIGHTTPD-send-file", "X-LIGHTTPD-send-tempfile", "X-LiteSpeed-Location", "X-Reproxy-URL", "X-REPROXY-FILE", "Surrogate-Control", "Edge-Control",
		"x-envoy-immediate-health-check-fail", "Proxy-Authentication-Info",
	} {
		a.response.Header = append(a.response.Header, abi.Field{Name: name, Value: "/etc/passwd"})
	}
	h := serve(a, httptest.NewRequest("GET", "http://app.test/", nil)).Header()
	for _, f := range a.response.Header[:kept] {
		if h.Get(f.Name) != f.Value {
			t.Errorf("%s is lost", f.Name)
		}
	}
	for name, values := range h {
		if values[0] == "/etc/passwd" {
			t.Errorf("%s goes out", name)
		}
	}
}
