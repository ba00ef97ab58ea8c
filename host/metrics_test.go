package host_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/host"
)

// TestMetrics: who may scrape, and that calls are in the next scrape.
func TestMetrics(t *testing.T) {
	n := start(t)
	p := n.publish(n.ada(), manifest("shop"), says("one"))
	for range 3 {
		n.get(p.URL)
	}
	local := "http://" + n.Addr().String() + "/metrics"
	got := n.get(local)
	if got.Status != 200 || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatalf("%+v", got)
	}
	for _, want := range []string{`agora_invocations_total{app="shop"} 3`, `agora_invocation_seconds_count 3`, `agora_metering_ready 1`, `agora_apps 1`, `agora_store_bytes{file="kv.db"}`} {
		if !strings.Contains(got.Body, want) {
			t.Errorf("%s is missing in\n%s", want, got.Body)
		}
	}
	line := regexp.MustCompile(`^(# (HELP|TYPE) agora_|# (HELP|TYPE) go_|[a-z_]+(\{[^}]*\})? [0-9.e+-]+$)`)
	for text := range strings.Lines(got.Body) {
		if !line.MatchString(strings.TrimSuffix(text, "\n")) {
			t.Errorf("%q", text)
		}
	}
	// Anything that a browser or a proxy adds, and another name, needs a token.
	public := n.ConsoleURL() + "/metrics"
	for name, a := range map[string]answer{
		"the console's name": n.get(public),
		"through a proxy":    n.do("GET", local, "", "X-Forwarded-For", "10.0.0.1"),
		"from a page":        n.do("GET", local, "", "Origin", "http://shop.localhost"),
		"a developer":        n.do("GET", public, "", "Authorization", "Bearer "+n.token(ada, access.RoleDeveloper)),
		"a cookie":           n.do("GET", public, "", "Cookie", "agora_session="+n.token(ops, access.RoleOperator)),
	} {
		if a.Status != 401 || strings.Contains(a.Body, "shop") {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if a := n.do("GET", public, "", "Authorization", "Bearer "+n.token(ops, access.RoleOperator)); a.Status != 200 {
		t.Errorf("an operator: %+v", a)
	}
	if a := n.get(n.AppURL("shop") + "metrics"); a.Body != "one" {
		t.Errorf("an app's own /metrics: %+v", a)
	}
	proxied := start(t, func(o *host.Options) { o.ConsoleURL, o.AppsDomain = "https://agora.example.com", "apps.example.com" })
	if a := proxied.get("http://" + proxied.Addr().String() + "/metrics"); a.Status != 401 {
		t.Errorf("behind a proxy: %d", a.Status)
	}
}

// TestSamplesLead: a call is among its hour's samples, with what it cost.
func TestSamplesLead(t *testing.T) {
	n := start(t)
	p := n.publish(n.ada(), manifest("shop"), says("one"))
	id := n.get(p.URL).Header.Get("Agora-Invocation")
	all, err := n.ada().Samples(t.Context(), "shop", time.Now())
	if err != nil || len(all) != 1 || all[0].ID != id || all[0].Status != 200 || all[0].Trigger != "http" || all[0].Of != 1 || all[0].Instructions == 0 {
		t.Fatalf("%+v, %v; the call was %s", all, err, id)
	}
	if none, err := n.ada().Samples(t.Context(), "other", time.Now()); err != nil || len(none) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
	n.stop()
	n = startIn(t, n.dir)
	if all, err := n.ada().Samples(t.Context(), "", time.Now()); err != nil || len(all) != 1 || all[0].ID != id {
		t.Errorf("after a restart: %+v, %v", all, err)
	}
}
