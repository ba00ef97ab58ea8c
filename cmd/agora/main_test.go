package main

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
)

func TestMain(m *testing.M) {
	// A node started by a test compiles modules in a child that is this binary.
	if len(os.Args) > 1 && (os.Args[1] == "compile-worker" || os.Args[1] == "build-worker" || os.Getenv("AGORA_TEST_AS_COMMAND") == "1") {
		watchFailpoint()
		main()
		return
	}
	testscript.Main(m, map[string]func(){"agora": main})
}

// TestScripts runs testdata/*.txt: each reads as a session at a terminal.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("AGORA_CONFIG", filepath.Join(e.WorkDir, "config.json"))
			e.Setenv("AGORA_URL", "")
			e.Setenv("AGORA_TOKEN", "")
			examples, err := filepath.Abs("../../examples")
			if err != nil {
				return err
			}
			e.Setenv("EXAMPLES", examples)
			e.Setenv("NEXT_WEEK", time.Now().AddDate(0, 0, 7).Format(time.DateOnly))
			e.Values[clockKey{}], e.Values[browserKey{}] = new(atomic.Int64), new(browser)
			return os.WriteFile(filepath.Join(e.WorkDir, "app.wasm"), says("ok"), 0o644)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// node DIR [FLAG …] starts a node and signs the command line in as its admin.
			"node": func(ts *testscript.TestScript, _ bool, args []string) {
				link := startNode(ts, append([]string{"--data", ts.MkAbs(args[0])}, args[1:]...))
				ts.Setenv("LINK", link)
				address, _, _ := strings.Cut(link, "/sign-in")
				ts.Setenv("NODE", address)
			},
			// module FILE TEXT [STATUS] writes a module that returns a text.
			"module": func(ts *testscript.TestScript, _ bool, args []string) {
				status := http.StatusOK
				if len(args) > 2 {
					var err error
					status, err = strconv.Atoi(args[2])
					ts.Check(err)
				}
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), answers(status, args[1]), 0o644))
			},
			// exits STATUS COMMAND … runs a command that must end with that status.
			"exits": func(ts *testscript.TestScript, _ bool, args []string) {
				err := ts.Exec(args[1], args[2:]...)
				got := "0"
				if e, ok := err.(*exec.ExitError); ok {
					got = string(rune('0' + e.ExitCode()))
				} else if err != nil {
					ts.Fatalf("%v", err)
				}
				if got != args[0] {
					ts.Fatalf("exit status %s, want %s", got, args[0])
				}
			},
			"clocked": clocked, "advance": advance, "until": until, "hook": hook, "page": page, "presses": presses,
			// match FILE REGEXP sets M to what the first group matches in a file or in stdout.
			"match": func(ts *testscript.TestScript, _ bool, args []string) {
				m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile(args[0]))
				if m == nil {
					ts.Fatalf("%s has no %s", args[0], args[1])
				}
				ts.Setenv("M", m[1])
			},
		},
	})
}

func says(text string) []byte { return answers(http.StatusOK, text) }

func answers(status int, text string) []byte {
	return wasmtest.App{Frame: abi.AppendResponse(nil, &abi.Response{Status: status, Body: []byte(text)})}.Bytes()
}

// startNode runs `agora serve` on a free port until the script ends, and responds
// its first sign-in link.
func startNode(ts *testscript.TestScript, args []string) (link string) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	cmd := exec.CommandContext(ctx, os.Args[0], append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", "ada@example.com", "--admin-link", "--audience", "public"}, args...)...)
	cmd.Env = append(os.Environ(), "AGORA_TEST_AS_COMMAND=1")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		cancel()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for link == "" && lines.Scan() {
		link = linkIn(lines.Text())
	}
	if link == "" {
		ts.Fatalf("the node did not start")
	}
	go func() { // until the pipe closes with the process
		for lines.Scan() {
			continue
		}
	}()
	return link
}

// linkIn reads the sign-in link that a line of a node speaks of; "" if it speaks of none.
func linkIn(line string) string {
	_, path, found := strings.Cut(line, " is in ")
	path, _, ended := strings.Cut(path, ": it works once")
	if !found || !ended {
		return ""
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// TestAdmin: --admin never keeps a node with users from starting, leaves no link in what a log
// collects, and brings no one back who was disabled.
func TestAdmin(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "admin-link")
	// start serves until it says so, and returns what it said, and the link that it left.
	start := func(args ...string) (said, link string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, os.Args[0], append([]string{"serve", "--listen", "127.0.0.1:0", "--data", dir, "--audience", "public"}, args...)...)
		cmd.Env = append(os.Environ(), "AGORA_TEST_AS_COMMAND=1")
		out, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for !strings.Contains(said, "msg=serving") && lines.Scan() {
			said += lines.Text() + "\n"
		}
		if text, err := os.ReadFile(file); err == nil {
			link = strings.TrimSpace(string(text))
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
		}
		_ = cmd.Process.Signal(os.Interrupt)
		for lines.Scan() {
			said += lines.Text() + "\n"
		}
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, said)
		}
		if strings.Contains(said, "/sign-in?") {
			t.Errorf("%q: the link is in the log:\n%s", args, said)
		}
		return said, link
	}
	inside := func(do func(*node.Node)) {
		t.Helper()
		h, err := node.New(t.Context(), node.Options{DataDir: dir, Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		do(h)
		if err := h.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, link := start("--admin", "Ada@Example.com"); link == "" {
		t.Error("the first start makes no link")
	}
	_, link := start("--admin", "ada@example.com")
	if link == "" {
		t.Error("nobody has signed in, and there is no other link")
	}
	inside(func(h *node.Node) {
		if _, _, err := h.People.SignIn(t.Context(), link[strings.Index(link, "link=")+5:]); err != nil {
			t.Fatal(err)
		}
	})
	if said, link := start("--admin", "ada@example.com"); link != "" || !strings.Contains(said, "--admin-link") {
		t.Errorf("an operator can sign in: %q, %q", link, said)
	}
	if _, link := start("--admin", "ada@example.com", "--admin-link"); link == "" {
		t.Error("a link was asked for")
	}
	inside(func(h *node.Node) {
		if _, err := h.People.TokenFor(t.Context(), "zoe@example.com", "test", time.Hour, access.RoleOperator); err != nil {
			t.Fatal(err)
		}
		zoe := access.WithActor(t.Context(), access.Actor{User: "zoe@example.com", Roles: []access.Role{access.RoleOperator}})
		if _, err := h.People.PutUser(zoe, "ada@example.com", []access.Role{access.RoleOperator}, true); err != nil {
			t.Fatal(err)
		}
	})
	for _, name := range []string{"ada@example.com", "ADA@example.com"} {
		if said, link := start("--admin", name, "--admin-link"); link != "" || !strings.Contains(said, "is disabled, and stays so") {
			t.Errorf("a disabled user: %q, %q", link, said)
		}
	}
	if said, link := start("--admin", "nobody"); link != "" || !strings.Contains(said, "no plain mail address") {
		t.Errorf("no name: %q, %q", link, said)
	}
}
