package javascript_test

import (
	"testing"

	"github.com/agora-host/agora/javascript"
	"github.com/agora-host/agora/script/scripttest"
)

func TestMain(m *testing.M) { scripttest.Main(m) }

var (
	scripts = scripttest.Language{Entry: "app.ts", Make: javascript.Build}
	limits  = scripttest.Limits

	build, serve, diagnosticsOf = scripts.Build, scripts.Serve, scripts.Refuse
)

// TestHello is the whole way of a trivial app.
func TestHello(t *testing.T) {
	a := serve(t, `
interface Env { config: Record<string, string> }
export default {
	async fetch(request: Request, env: Env): Promise<Response> {
		const url = new URL(request.url);
		return new Response("Hello, " + (url.searchParams.get("name") ?? "world"), { headers: { "X-Path": url.pathname } });
	},
};`)
	r := a.Get("/a/b?name=Ada%20L")
	if r.Status != 200 || string(r.Body) != "Hello, Ada L" || scripttest.Header(r, "x-path") != "/a/b" || scripttest.Header(r, "content-type") != "text/plain;charset=UTF-8" {
		t.Errorf("%d %v %q\n%s", r.Status, r.Header, r.Body, a.Logged())
	}
}
