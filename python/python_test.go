package python_test

import (
	"testing"

	"github.com/agora-host/agora/python"
	"github.com/agora-host/agora/script"
	"github.com/agora-host/agora/script/scripttest"
)

func TestMain(m *testing.M) { scripttest.Main(m) }

var (
	scripts = scripttest.Language{Entry: "app.py", Make: python.Build}
	limits  = scripttest.Limits

	build, serve, diagnosticsOf = scripts.Build, scripts.Serve, scripts.Refuse
)

func sourceOf(code string) script.Source { return script.Source{Entry: "app.py", Code: []byte(code)} }

// TestHello is the whole way of a trivial app.
func TestHello(t *testing.T) {
	a := serve(t, `
def fetch(request, env):
    print("asked for", request.path)
    return Response("Hello, " + request.query.get("name", "world"), headers={"X-Url": request.url})
`)
	r := a.Get("/a/b?name=Ada%20L")
	if r.Status != 200 || string(r.Body) != "Hello, Ada L" || scripttest.Header(r, "x-url") != "http://app.example.com/a/b?name=Ada%20L" || scripttest.Header(r, "content-type") != "text/plain;charset=UTF-8" {
		t.Errorf("%d %v %q", r.Status, r.Header, r.Body)
	}
	if got := a.Logged(); got != "info asked for /a/b" {
		t.Errorf("logged %q", got)
	}
}
