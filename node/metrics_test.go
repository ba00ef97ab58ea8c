package node_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
)

// TestMetrics: who may scrape, the same by every name of the node, and that calls are in the next
// scrape.
func TestMetrics(t *testing.T) {
	n := start(t)
	p := n.publish(n.ada(), manifest("shop"), says("one"))
	for range 3 {
		n.get(p.URL)
	}
	for _, want := range []string{`agora_invocations_total{app="shop"} 3`, `agora_invocation_duration_seconds_count 3`, `agora_metering_ready 1`, `agora_apps 1`, `agora_store_bytes{file="kv.db"}`} {
		if !strings.Contains(n.metrics(), want) {
			t.Errorf("%s is missing in\n%s", want, n.metrics())
		}
	}
	line := regexp.MustCompile(`^(# (HELP|TYPE) agora_|# (HELP|TYPE) go_|[a-z_]+(\{[^}]*\})? [0-9.e+-]+$)`)
	for text := range strings.Lines(n.metrics()) {
		if !line.MatchString(strings.TrimSuffix(text, "\n")) {
			t.Errorf("%q", text)
		}
	}
	operator := n.token(ops, access.RoleOperator)
	scraper := n.limited(operator, access.ScopeMetricsRead)
	for _, public := range []string{n.ConsoleURL() + "/metrics", "http://" + n.Addr().String() + "/metrics"} {
		for _, k := range []struct {
			name   string
			status int
			header []string
		}{
			{"without a token", 401, nil},
			{"through a proxy", 401, []string{"X-Forwarded-For", "10.0.0.1"}},
			{"a token that is none", 401, []string{"Authorization", "Bearer agora_tok_x"}},
			{"a developer", 403, []string{"Authorization", "Bearer " + n.token(ada, access.RoleDeveloper)}},
			{"another scope", 403, []string{"Authorization", "Bearer " + n.limited(operator, access.ScopeUsageRead)}},
			{"a cookie", 401, []string{"Cookie", "agora_session=" + operator}},
			{"an operator", 200, []string{"Authorization", "Bearer " + operator}},
			{"a scraper", 200, []string{"Authorization", "Bearer " + scraper}},
		} {
			a := n.do("GET", public, "", k.header...)
			if a.Status != k.status || (a.Status != 200 && (strings.Contains(a.Body, "shop") || a.Problem.Remedy.Summary == "")) {
				t.Errorf("%s at %s: %d %s", k.name, public, a.Status, a.Body)
			}
			if a.Status == 200 && !strings.HasPrefix(a.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
				t.Errorf("%s at %s: %v", k.name, public, a.Header)
			}
		}
	}
	if a := n.get(n.AppURL("shop") + "metrics"); a.Body != "one" {
		t.Errorf("an app's own /metrics: %+v", a)
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
