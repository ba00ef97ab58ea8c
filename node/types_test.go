package node_test

import (
	"strings"
	"testing"

	"github.com/agora-host/agora/javascript"
)

// TestTypesFromTheNode: who is signed in gets agora.d.ts, from the API and from the console, as the node that makes the
// modules has it; others get nothing, and a page of another site gets nothing with a reader's cookie.
func TestTypesFromTheNode(t *testing.T) {
	n := start(t)
	types, err := n.as(eve).Types(t.Context())
	if err != nil || string(types) != javascript.Types {
		t.Errorf("over the API: %d bytes, %v", len(types), err)
	}
	cookie := n.session(eve)
	got := n.do("GET", n.ConsoleURL()+"/agora.d.ts", "", "Cookie", cookie)
	if got.Status != 200 || got.Body != javascript.Types || !strings.Contains(got.Header.Get("Content-Disposition"), "filename=agora.d.ts") {
		t.Errorf("from the console: %d, %v, %d bytes", got.Status, got.Header, len(got.Body))
	}
	for path, headers := range map[string][]string{"/api/v1/types/agora.d.ts": nil, "/agora.d.ts": {"Cookie", cookie, "Sec-Fetch-Site", "cross-site"}} {
		if got := n.do("GET", n.ConsoleURL()+path, "", headers...); got.Status != 401 && got.Status != 403 {
			t.Errorf("%s %v: %d", path, headers, got.Status)
		}
	}
	if got := n.get(n.ConsoleURL() + "/agora.d.ts"); got.Body == javascript.Types {
		t.Error("the console gives it to who is not signed in")
	}
}
