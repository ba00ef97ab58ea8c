package node_test

import (
	"strings"
	"testing"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
)

// TestHostNamesOfOperators: an app answers to the very name that an operator gave
// it, and nothing that is the node's can be given away.
func TestHostNamesOfOperators(t *testing.T) {
	n := start(t, func(o *node.Options) {
		o.ConsoleURL, o.AppsDomain = "https://agora.example.com", "apps.example.com"
	})
	n.publish(n.ada(), manifest("expenses"), says("expenses"))
	n.publish(n.ada(), manifest("other"), says("other"))
	if got := n.get("http://expenses.example.com/"); got.Status != 404 {
		t.Errorf("before: %+v", got)
	}
	if _, err := n.ada().CreateDomain(t.Context(), "expenses.example.com", "expenses"); problemOf(t, err).Status != 403 {
		t.Errorf("a developer: %v", err)
	}
	ops := n.ops()
	if h, err := ops.CreateDomain(t.Context(), "Expenses.Example.com.", "expenses"); err != nil || h.Host != "expenses.example.com" || h.By != "ops@example.com" {
		t.Fatalf("%+v, %v", h, err)
	}
	for _, host := range []string{"expenses.example.com", "EXPENSES.example.COM", "expenses.example.com."} {
		if got := n.get("http://" + host + "/"); got.Body != "expenses" {
			t.Errorf("%s: %+v", host, got)
		}
	}
	for _, host := range []string{"a.expenses.example.com", "expenses.example.com:8443", "xexpenses.example.com", "expenses.example.org", "r1--expenses.example.com"} {
		if got := n.get("http://" + host + "/"); got.Status != 404 || strings.Contains(got.Body, "expenses\n") {
			t.Errorf("%s: %+v", host, got)
		}
	}
	for host, status := range map[string]int{
		"agora.example.com": 422, "agora.example.com:8443": 422, "apps.example.com": 422, "x.apps.example.com": 422, "other.apps.example.com": 422, "*.example.org": 422, "127.0.0.1": 422, "localhost": 422,
		"expenses.example.com": 409,
	} {
		if _, err := ops.CreateDomain(t.Context(), host, "other"); problemOf(t, err).Status != status {
			t.Errorf("%s: %v, want %d", host, err, status)
		}
	}
	if _, err := ops.CreateDomain(t.Context(), "a.example.org", "none"); problemOf(t, err).Status != 404 {
		t.Errorf("an app that is not there: %v", err)
	}
	if all, err := n.as("vic@example.com", access.RoleViewer).Domains(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	if err := ops.DeleteDomain(t.Context(), "expenses.example.com"); err != nil {
		t.Fatal(err)
	}
	if got := n.get("http://expenses.example.com/"); got.Status != 404 {
		t.Errorf("taken away: %+v", got)
	}
	events, err := ops.Events(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	told := ""
	for _, e := range events {
		if strings.HasPrefix(e.Kind, "host.") {
			told += e.Kind + " " + e.Subject + " " + e.App + "; "
		}
	}
	if told != "host.added expenses.example.com expenses; host.removed expenses.example.com expenses; " {
		t.Errorf("audited: %s", told)
	}
}
