package node_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// formatFive unpacks a data directory that the last agora of format 5 wrote, as commands filled it, and
// returns it with a token of ada's. No one uses that node or its keys for anything else.
func formatFive(t *testing.T) (dir, token string) {
	t.Helper()
	root := t.TempDir()
	f, err := os.Open("testdata/format5.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(root, filepath.FromSlash(h.Name))
		if h.FileInfo().IsDir() {
			err = os.MkdirAll(path, 0o700)
		} else {
			var raw []byte
			if raw, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, raw, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(filepath.Join(root, "ada.token"))
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "data"), strings.TrimSpace(string(raw))
}

// then is soon after that directory was written, when its tokens had not ended.
func then(o *node.Options) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	o.Now = func() time.Time { return now }
}

// hasAll checks that a node found everything in that directory, and that one of its people can be
// renamed.
func (n *testNode) hasAll(token string) {
	t, ctx := n.t, n.t.Context()
	t.Helper()
	mine, err := client.New("http://"+n.Addr().String(), token)
	if err != nil {
		t.Fatal(err)
	}
	if who := must(mine.Whoami(ctx))(t); who.User != ada {
		t.Fatalf("the token is of %+v", who)
	}
	must(n.ops().RenameUser(ctx, ada, lovelace))(t)
	users := map[string]string{}
	for _, u := range must(n.ops().Users(ctx))(t) {
		if !access.IsPersonID(u.ID) || users[u.ID] != "" {
			t.Errorf("%+v has not an id of its own", u)
		}
		users[u.ID] = u.Name
	}
	if len(users) != 4 {
		t.Errorf("%+v", users)
	}
	app := must(mine.App(ctx, "shop"))(t)
	if app.Owner != lovelace || app.Offer == nil || app.Offer.To != bob || app.Offer.By != lovelace || app.Serving != 2 {
		t.Errorf("%+v", app)
	}
	one, two := must(mine.Release(ctx, "shop", 1))(t), must(mine.Release(ctx, "shop", 2))(t)
	if one.Signer.Identity != lovelace || one.Signer.SignedAs != ada || one.Manifest.Owner != lovelace || two.Signer.Identity != lovelace || two.Signer.Method != "key" || two.CreatedBy != lovelace {
		t.Errorf("%+v\n%+v", one, two)
	}
	promotion, grant := must(mine.Request(ctx, "req-2"))(t), must(mine.Grants(ctx, "shop"))(t)
	if promotion.By != lovelace || promotion.Owner != lovelace || len(grant) != 1 || grant[0].By != rex {
		t.Errorf("%+v\n%+v", promotion, grant)
	}
	if q := must(mine.Request(ctx, "req-1"))(t); q.Decision == nil || q.Decision.By != rex || q.By != lovelace {
		t.Errorf("%+v", q)
	}
	keys, secrets, hosts := must(mine.Keys(ctx))(t), must(mine.Secrets(ctx, "shop"))(t), must(mine.Domains(ctx))(t)
	if len(keys) != 1 || keys[0].Identity != lovelace || len(secrets) != 1 || secrets[0].By != lovelace || len(hosts) != 1 || hosts[0].By != ops {
		t.Errorf("%+v\n%+v\n%+v", keys, secrets, hosts)
	}
	if all := must(mine.Triggers(ctx, "shop"))(t); len(all) != 1 || !all[0].Paused || all[0].PausedBy != lovelace {
		t.Errorf("%+v", all)
	}
	if tokens := must(mine.Tokens(ctx))(t); len(tokens) != 2 { // that of the command line, and the one in the test's data
		t.Errorf("%+v", tokens)
	}
	for _, q := range must(mine.Quotas(ctx, "", ""))(t) {
		if want := map[string]int64{"apps": 1, "releases": 2, "requests": 1, "keys": 1}; want[q.Name] != 0 && q.Used != want[q.Name] {
			t.Errorf("%+v", q)
		}
	}
	n.goesOnFromFive(mine)
}

// goesOnFromFive: what was signed and granted before holds.
func (n *testNode) goesOnFromFive(mine *client.Client) {
	t, ctx := n.t, n.t.Context()
	t.Helper()
	if got := n.get(n.AppURL("shop")); got.Status >= 400 {
		t.Errorf("what the key signed: %d %s", got.Status, got.Body)
	}
	must(mine.Activate(ctx, "shop", 1, abi.TierSandbox, "signed with a certificate"))(t)
	if got := n.get(n.AppURL("shop")); got.Status >= 400 {
		t.Errorf("what a certificate signed: %d %s", got.Status, got.Body)
	}
	must(n.rex().Decide(ctx, "req-2", true, "fine"))(t)
	report := must(n.ops().Usage(ctx, client.UsageQuery{By: []string{"owner"}}))(t)
	if len(report.Rows) != 1 || report.Rows[0].Group["owner"] != lovelace || report.Total.Calls < 3 {
		t.Errorf("usage: %+v", report)
	}
	for _, e := range must(n.ops().Events(ctx, 0, 0))(t) {
		if e.Actor == ada || e.Detail["identity"] == ada {
			t.Errorf("an event names %s: %+v", ada, e)
		}
	}
	for _, c := range must(n.ops().Doctor(ctx))(t) {
		if !c.OK && c.Name != "confinement" {
			t.Errorf("%+v", c)
		}
	}
}

// TestFormatFive opens what the version before ids of people wrote, and finds everything; so it does
// when it is opened again, and after a kill while it was brought up to date.
func TestFormatFive(t *testing.T) {
	dir, token := formatFive(t)
	n := startIn(t, dir, then)
	n.hasAll(token)
	n.stop()
	n = startIn(t, dir, then)
	n.goesOnAgain(token)
	for _, wait := range []time.Duration{0, 10, 25, 60} {
		dir, token := formatFive(t)
		killedAfter(t, command(t, dir), wait*time.Millisecond)
		n := startIn(t, dir, then)
		n.hasAll(token)
		n.stop()
	}
}

func (n *testNode) goesOnAgain(token string) {
	n.t.Helper()
	mine, err := client.New("http://"+n.Addr().String(), token)
	if err != nil {
		n.t.Fatal(err)
	}
	if who := must(mine.Whoami(n.t.Context()))(n.t); who.User != lovelace {
		n.t.Errorf("opened again: %+v", who)
	}
}

// killedAfter kills a process a while after it began.
func killedAfter(t *testing.T, cmd *exec.Cmd, wait time.Duration) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(wait)
	_ = cmd.Process.Signal(syscall.SIGKILL)
	_ = cmd.Wait()
}
