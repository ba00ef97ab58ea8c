package node_test

import (
	"strings"
	"testing"

	"github.com/agora-host/agora/access"
)

// TestPagesOfferWhatIsAllowed: the pages of grants, requests and settings offer an act to those alone to
// whom the table of who may do what allows it.
func TestPagesOfferWhatIsAllowed(t *testing.T) {
	n := start(t)
	grant := n.ticking()
	n.session(bob, access.RoleDeveloper)
	asked := n.publish(n.ada(), manifest("asks", kvAsk), keeps(21)).Requests[0].ID
	const revoke, decide, withdraw, people, keys = "/revoke", "/decision", "/withdraw", "/settings/users", "/settings/keys"
	for who, want := range map[string]struct {
		roles []access.Role
		may   string
	}{
		ada:                {[]access.Role{access.RoleDeveloper}, "revoke withdraw keys"},
		bob:                {[]access.Role{access.RoleDeveloper}, "keys"},
		"eve@example.com":  {[]access.Role{access.RoleViewer}, ""},
		rex:                {[]access.Role{access.RoleReviewer}, "revoke decide"},
		ops:                {[]access.Role{access.RoleOperator}, "revoke people keys"},
		"both@example.com": {[]access.Role{access.RoleReviewer, access.RoleDeveloper}, "revoke decide keys"},
	} {
		me := browsing{n, n.session(who, want.roles...)}
		grants, requests, settings := me.page("/grants"), me.page("/requests"), me.page("/settings")
		var may []string
		for _, offer := range []struct{ word, page, action string }{
			{"revoke", grants, "/grants/" + grant + revoke}, {"decide", requests, "/requests/" + asked + decide}, {"withdraw", requests, "/requests/" + asked + withdraw},
			{"people", settings, people}, {"keys", settings, keys},
		} {
			if strings.Contains(offer.page, `action="`+offer.action+`"`) {
				may = append(may, offer.word)
			}
		}
		if got := strings.Join(may, " "); got != want.may {
			t.Errorf("%s is offered %q, want %q", who, got, want.may)
		}
	}
}
