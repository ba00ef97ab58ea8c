package node_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
)

// TestIntentIsShown: what an app is for, and what its owner expects and answers, stands where a reviewer
// decides, as text whatever it says; and what changes of it is shown as a change.
func TestIntentIsShown(t *testing.T) {
	n := start(t, fastLane)
	about := func(users int, answer string) []byte {
		return manifest("desk", `description = "Books <b>desks</b>."`, fmt.Sprintf("expected_users = %d\nmonthly_cents = 1205\n[answers]\npersonal_data = %q", users, answer))
	}
	n.publish(n.ada(), about(20, "no"), says("one"))
	q, err := n.ada().Promote(t.Context(), "desk", 1, abi.TierPilot, "ready")
	if err != nil || q.Intent == nil || q.Intent.ExpectedUsers != 20 || q.Intent.MonthlyCents != 1205 || q.Intent.Answers["personal_data"] != "no" {
		t.Fatalf("%+v, %v", q.Intent, err)
	}
	if _, err := n.rex().Decide(t.Context(), q.ID, true, "fine"); err != nil {
		t.Fatal(err)
	}
	n.publish(n.ada(), about(2000, "<script>names</script>"), says("two"))
	if q, err = n.ada().Promote(t.Context(), "desk", 2, abi.TierPilot, "more"); err != nil {
		t.Fatal(err)
	}
	changed := map[string]string{}
	for _, c := range q.Changes {
		changed[c.Path] = c.Was + " -> " + c.Now
	}
	if changed["expected_users"] != "20 -> 2000" || changed["answers.personal_data"] != "no -> <script>names</script>" {
		t.Errorf("what changed: %v", changed)
	}
	for _, path := range []string{"/requests", "/apps/desk/releases/2"} {
		page := n.do("GET", n.ConsoleURL()+path, "", "Cookie", n.session(rex, access.RoleReviewer)).Body
		for _, want := range []string{"Books &lt;b&gt;desks&lt;/b&gt;.", "<dd>2000</dd>", "<dd>12.05</dd>", "<dt>personal_data</dt><dd>&lt;script&gt;names&lt;/script&gt;</dd>"} {
			if !strings.Contains(page, want) {
				t.Errorf("%s does not say %q", path, want)
			}
		}
	}
}
