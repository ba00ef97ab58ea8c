package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control/apps"
	"github.com/agora-host/agora/control/governance"
	"github.com/agora-host/agora/control/people"
	"github.com/agora-host/agora/control/publishing"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/registry/sigstore"
	"github.com/agora-host/agora/script/isolate"
	"github.com/agora-host/agora/sdk/client"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "compile-worker" { // a child of these tests
		os.Exit(engine.CompileWorker(os.Stdin, os.Stdout))
	}
	if len(os.Args) > 1 && os.Args[1] == "build-worker" {
		os.Exit(isolate.Worker(os.Stdin, os.Stdout))
	}
	if dir := os.Getenv(ownProcess); dir != "" {
		if err := runAlone(dir, os.Getenv(ownRestore)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// The names of the services where they are embedded.
type (
	peopleService     = people.Service
	catalogue         = apps.Catalogue
	lifecycle         = apps.Lifecycle
	keeper            = apps.Keeper
	observer          = apps.Observer
	automation        = apps.Automation
	appPages          = apps.Pages
	vault             = apps.Vault
	governanceService = governance.Service
	publishingService = publishing.Service
	checkup           = node.Checkup
	upkeep            = node.Upkeep
)

// testNode is a whole node on a free port of the loopback.
type testNode struct {
	*node.Node
	*peopleService
	*catalogue
	*lifecycle
	*keeper
	*observer
	*automation
	*appPages
	*vault
	*governanceService
	*publishingService
	*checkup
	*upkeep
	t   testing.TB
	dir string
}

func testNodeOf(h *node.Node, t testing.TB, dir string) *testNode {
	return &testNode{
		Node: h, peopleService: h.People, catalogue: h.Catalogue, lifecycle: h.Lifecycle, keeper: h.Keeper,
		observer: h.Observer, automation: h.Automation, appPages: h.Pages, vault: h.Vault,
		governanceService: h.Governance, publishingService: h.Publishing,
		checkup: h.Checkup, upkeep: h.Upkeep, t: t, dir: dir,
	}
}

func start(t testing.TB, change ...func(*node.Options)) *testNode {
	t.Helper()
	return startIn(t, t.TempDir(), change...)
}

func startIn(t testing.TB, dir string, change ...func(*node.Options)) *testNode {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := node.Options{DataDir: dir, Listen: "127.0.0.1:0", Worker: []string{exe}, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	// What a test is about is no sign-in, unless it says so.
	o.Audience = access.AudiencePublic
	o.PolicyDir = reviewed(t)
	// Every flow that a test walks is proven to do nothing but through its transaction.
	o.RunTwice(t)
	for _, c := range change {
		c(&o)
	}
	h, err := node.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	h.Start()
	n := testNodeOf(h, t, dir)
	t.Cleanup(n.stop)
	return n
}

// reviewed returns a directory with the built-in rules, but that nothing is allowed without a reviewer:
// most tests are about what reviewers decide. fastLane undoes it.
func reviewed(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("../approvals/rego/rules/data.json")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), `"allow": {`)
	_, after, found := strings.Cut(rest, "\n      },\n")
	if !found {
		t.Fatal("data.json allows nothing in the sandbox")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "data.json"), []byte(before+`"allow": {},`+"\n"+after), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// fastLane starts a node with the rules as they are built in.
func fastLane(o *node.Options) { o.PolicyDir = "" }

func (n *testNode) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		n.t.Errorf("stop: %v", err)
	}
}

// token makes sure of a user and returns a token.
func (n *testNode) token(user string, roles ...access.Role) string {
	n.t.Helper()
	token, err := n.TokenFor(n.t.Context(), user, "test", time.Hour, roles...)
	if err != nil {
		n.t.Fatal(err)
	}
	return token
}

// as returns a client for a user.
func (n *testNode) as(user string, roles ...access.Role) *client.Client {
	n.t.Helper()
	c, err := client.New("http://"+n.Addr().String(), n.token(user, roles...))
	if err != nil {
		n.t.Fatal(err)
	}
	return c
}

const (
	ada = "ada@example.com" // develops
	rex = "rex@example.com" // reviews
	ops = "ops@example.com" // operates
)

func (n *testNode) ada() *client.Client { return n.as(ada, access.RoleDeveloper) }
func (n *testNode) rex() *client.Client { return n.as(rex, access.RoleReviewer) }
func (n *testNode) ops() *client.Client { return n.as(ops, access.RoleOperator) }

// manifest is a manifest of ada's that the rules let pass, and more lines.
func manifest(name string, more ...string) []byte {
	return []byte(fmt.Sprintf("name = %q\nversion = \"1\"\nowner = %q\nteam = \"sales\"\ncost_center = \"CC-1\"\ndata_classification = \"internal\"\n%s\n", name, ada, strings.Join(more, "\n")))
}

func signAs(t testing.TB, c *client.Client, module []byte) []byte {
	t.Helper()
	bundle, err := sigstore.SignWithIdentity(module,
		func(csr []byte) ([]byte, error) { return c.Certify(t.Context(), csr) },
		func(q []byte) ([]byte, error) { return c.Timestamp(t.Context(), q) })
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

// publish signs and uploads, and must succeed.
func (n *testNode) publish(c *client.Client, manifest, module []byte) client.Published {
	n.t.Helper()
	p, err := c.Publish(n.t.Context(), manifest, module, signAs(n.t, c, module), nil)
	if err != nil {
		n.t.Fatal(err)
	}
	return p
}

// decide has rex approve all that a release waits for.
func (n *testNode) decide(p client.Published) {
	n.t.Helper()
	for _, q := range p.Requests {
		if _, err := n.rex().Decide(n.t.Context(), q.ID, true, "fine"); err != nil {
			n.t.Fatal(err)
		}
	}
}

// answer is what an app's address said.
type answer struct {
	Status  int
	Header  http.Header
	Body    string
	Problem abi.Problem // if it is one
}

func (n *testNode) do(method, url, body string, header ...string) answer {
	n.t.Helper()
	r, err := http.NewRequestWithContext(n.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	if len(body) > 64<<10 { // a node that refuses a body hangs up before all of it was sent
		r.Header.Set("Expect", "100-continue")
	}
	// Whatever the name is, it is this node that is asked.
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", n.Addr().String())
	}
	c := http.Client{
		Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true, ExpectContinueTimeout: 10 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := c.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	a := answer{Status: resp.StatusCode, Header: resp.Header, Body: string(raw)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") {
		if err := json.Unmarshal(raw, &a.Problem); err != nil {
			n.t.Fatal(err)
		}
	}
	return a
}

// metrics is what a scrape answers.
func (n *testNode) metrics() string {
	n.t.Helper()
	return n.do("GET", n.ConsoleURL()+"/metrics", "", "Authorization", "Bearer "+n.token(ops, access.RoleOperator)).Body
}

func (n *testNode) get(url string) answer { n.t.Helper(); return n.do("GET", url, "") }

// says is a module that returns a text.
func says(text string) []byte {
	return wasmtest.App{Frame: abi.AppendResponse(nil, &abi.Response{
		Status: 200, Header: []abi.Field{{Name: "Content-Type", Value: "text/plain"}}, Body: []byte(text),
	})}.Bytes()
}

// problemOf is the problem that an error of the client is.
func problemOf(t testing.TB, err error) abi.Problem {
	t.Helper()
	p, ok := errors.AsType[*client.Problem](err)
	if !ok {
		t.Fatalf("%v is no problem of the node's", err)
	}
	return p.Problem
}

var examples = sync.OnceValues(func() (map[string][]byte, error) {
	built := map[string][]byte{}
	dir, err := os.MkdirTemp("", "agora-examples")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for name, mode := range map[string]string{"hello": "c-shared", "guestbook": "c-shared", "quote": "default", "ticker": "c-shared", "digest": "c-shared", "relay": "c-shared"} {
		out := filepath.Join(dir, name+".wasm")
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-buildmode="+mode, "-o", out, "../examples/"+name)
		cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
		if msg, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%w\n%s", err, msg)
		}
		if built[name], err = os.ReadFile(out); err != nil {
			return nil, err
		}
	}
	return built, nil
})

// example is an example app, built once, with its manifest in ada's name.
func example(t testing.TB, name string) (manifest, module []byte) {
	t.Helper()
	built, err := examples()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("../examples/" + name + "/agora.toml")
	if err != nil {
		t.Fatal(err)
	}
	return []byte(strings.ReplaceAll(string(raw), "examples@agora.local", ada)), built[name]
}

// logTo has a node log to b.
func logTo(b *strings.Builder) func(*node.Options) {
	var mu sync.Mutex
	return func(o *node.Options) {
		o.Logger = slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			return b.Write(p)
		}), nil))
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// session is the cookie of a browser that is signed in.
func (n *testNode) session(user string, roles ...access.Role) string {
	n.t.Helper()
	link, err := n.Welcome(n.t.Context(), user, roles...)
	if err != nil {
		n.t.Fatal(err)
	}
	_, secret, _ := strings.Cut(link, "link=")
	in := n.do("POST", n.ConsoleURL()+"/sign-in", "link="+secret, "Content-Type", "application/x-www-form-urlencoded")
	cookie, _, _ := strings.Cut(in.Header.Get("Set-Cookie"), ";")
	if in.Status != http.StatusSeeOther || cookie == "" {
		n.t.Fatalf("sign-in: %+v", in)
	}
	return cookie
}

// decoded is what the API answered with.
func decoded[T any](t testing.TB, a answer) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Body), &v); err != nil || a.Status >= 300 {
		t.Fatalf("%d %s, %v", a.Status, a.Body, err)
	}
	return v
}

// between returns what stands between two texts.
func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	found, _, _ := strings.Cut(rest, after)
	return found
}
