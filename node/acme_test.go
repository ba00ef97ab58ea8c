package node_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/internal/certificates/certtest"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// ordering is a node that orders its certificates from a directory.
func ordering(t *testing.T, d *certtest.Directory, dir string, change ...func(*node.Options)) *testNode {
	t.Helper()
	return startIn(t, dir, append([]func(*node.Options){func(o *node.Options) {
		o.ACMEDirectory, o.ACMEEmail, o.ListenHTTP = d.URL, "ops@example.com", "127.0.0.1:0"
		o.ConsoleURL, o.AppsDomain = "https://agora.test", "apps.test"
		node.AskDirectory(o, d.Client())
	}}, change...)...)
}

func portOf(a net.Addr) int { return a.(*net.TCPAddr).Port }

// shows returns the serial number of the certificate that a node shows for a name, or an error's
// text.
func shows(n *testNode, d *certtest.Directory, name string) string {
	c := d.Trust()
	c.ServerName = name
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", n.Addr().String(), c)
	if err != nil {
		return "error: " + err.Error()
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// over is as, over TLS of the directory's.
func (n *testNode) over(d *certtest.Directory, user string, roles ...access.Role) *client.Client {
	n.t.Helper()
	c, err := client.New(n.ConsoleURL(), n.token(user, roles...))
	if err != nil {
		n.t.Fatal(err)
	}
	return c.Over(&http.Transport{TLSClientConfig: d.Trust(), DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", n.Addr().String())
	}})
}

// TestACME: a node orders a certificate for its console at once and for an app when it is first
// asked for, from a real directory, and for nothing else; what was issued outlives the process.
func TestACME(t *testing.T) {
	d, dir := certtest.NewDirectory(t), t.TempDir()
	n := ordering(t, d, dir)
	d.Validate(portOf(n.RedirectAddr()), portOf(n.Addr()), 90*24*time.Hour) // the first order may have failed
	n.OrderAgain()
	until(t, "the console has one", func() bool { return !strings.HasPrefix(shows(n, d, "agora.test"), "error") })
	console := shows(n, d, "agora.test")

	c := n.over(d, ada, access.RoleDeveloper)
	n.publish(c, manifest("shop"), says("shop"))
	before := d.Orders.Load()
	shop := shows(n, d, "shop.apps.test")
	if strings.HasPrefix(shop, "error") || d.Orders.Load() != before+1 {
		t.Errorf("the app has %s after %d orders", shop, d.Orders.Load()-before)
	}
	if again := shows(n, d, "SHOP.apps.test"); again != shop || d.Orders.Load() != before+1 {
		t.Errorf("the app has %s after %d orders, and had %s", again, d.Orders.Load()-before, shop)
	}
	for _, name := range []string{"nope.apps.test", "r1--shop.apps.test", "sandbox--shop.apps.test", "x.shop.apps.test", "apps.test", "evil.test", "localhost", "shop.apps.test.evil.test", "*.apps.test"} {
		if got := shows(n, d, name); !strings.HasPrefix(got, "error") {
			t.Errorf("%s has a certificate", name)
		}
	}
	if got := d.Orders.Load(); got != before+1 {
		t.Errorf("%d orders for what no app has", got-before-1)
	}
	checks, err := n.over(d, ops, access.RoleOperator).Doctor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, k := range checks {
		if strings.HasPrefix(k.Name, "TLS") && k.OK {
			found++
		}
	}
	if found != 3 { // two certificates, and handshakes
		t.Errorf("the doctor says %+v", checks)
	}
	n.stop()
	orders := d.Orders.Load()
	n = ordering(t, d, dir)
	if got := shows(n, d, "agora.test"); got != console {
		t.Errorf("after a restart the console has %s", got)
	}
	if got := shows(n, d, "shop.apps.test"); got != shop || d.Orders.Load() != orders {
		t.Errorf("after a restart the app has %s, after %d orders", got, d.Orders.Load()-orders)
	}
}

// TestACMEByHTTP: where the directory does not reach the node by TLS, port 80 proves the name.
func TestACMEByHTTP(t *testing.T) {
	if testing.Short() {
		t.Skip("a directory is asked once a second how far it is")
	}
	d := certtest.NewDirectory(t)
	n := ordering(t, d, t.TempDir())
	d.Validate(portOf(n.RedirectAddr()), 1, time.Hour)
	n.OrderAgain()
	until(t, "the console has one", func() bool { return !strings.HasPrefix(shows(n, d, "agora.test"), "error") })
}

// TestACMEFails: a directory that is not there, or that refuses, is named by the doctor; the node
// serves with the certificates that it has, and goes on by itself.
func TestACMEFails(t *testing.T) {
	if testing.Short() {
		t.Skip("a directory is asked several times")
	}
	d := certtest.NewDirectory(t)
	d.Refuse(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusInternalServerError)
		return true
	})
	ca := certtest.New(t)
	f := ca.Write(-time.Hour, 1000*time.Hour, "*.apps.test", "localhost")
	n := ordering(t, d, t.TempDir(), func(o *node.Options) { o.TLSCert, o.TLSKey = []string{f.Cert}, []string{f.Key} })
	trust := ca.Trust()
	trust.ServerName = "any.apps.test"
	conn, err := tls.Dial("tcp", n.Addr().String(), trust)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	trust.ServerName = "localhost"
	c, err := client.New("https://"+n.Addr().String(), n.token(ops, access.RoleOperator))
	if err != nil {
		t.Fatal(err)
	}
	c = c.Over(&http.Transport{TLSClientConfig: trust})
	until(t, "the doctor says it", func() bool {
		checks, err := c.Doctor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range checks {
			if k.Name == "TLS certificate agora.test" && !k.OK && strings.Contains(k.Detail, "none yet") && strings.Contains(k.Detail, "500") {
				return true
			}
		}
		return false
	})
	d.Refuse(nil)
	d.Validate(portOf(n.RedirectAddr()), portOf(n.Addr()), time.Hour)
	n.OrderAgain()
	until(t, "the console has one", func() bool { return !strings.HasPrefix(shows(n, d, "agora.test"), "error") })
}
