package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestREADME runs the README's own commands: each line of its blocks, as it
// stands, against a node that was started as `make run` starts it.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, m[1])
	}
	if len(blocks) != 3 || blocks[0] != "make run\n" {
		t.Fatalf("the README's blocks are not what this test knows: %q", blocks)
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	agora, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(agora, filepath.Join(bin, "agora")); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "AGORA_TEST_AS_COMMAND=1", "AGORA_CONFIG="+filepath.Join(dir, "config.json"), "PATH="+bin+":"+os.Getenv("PATH"))
	clone := freshClone(t, dir)
	screen := up(t, env, clone)
	for _, want := range []string{"/sign-in?link=", "http://hello.localhost:", "Try next"} {
		if !strings.Contains(screen, want) {
			t.Errorf("the screen does not show %q:\n%s", want, screen)
		}
	}
	run := func(dir, block string) string {
		t.Helper()
		var all strings.Builder
		for line := range strings.SplitSeq(strings.TrimSpace(block), "\n") {
			cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
			cmd.Dir, cmd.Env = dir, env
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("$ %s\n%s%v", line, out, err)
			}
			all.Write(out)
		}
		return all.String()
	}
	said := run(clone, blocks[1])
	for _, want := range []string{"Hello, Ada!", "req-1 is approved", "HTTP 303 from release 1", "instructions", `greeting "Ada"`, "ok   state"} {
		if !strings.Contains(said, want) {
			t.Errorf("the commands do not show %q:\n%s", want, said)
		}
	}
	said = run(ownApp(t, dir), blocks[2])
	if !strings.Contains(said, "my-quote release 1 serves in the sandbox") {
		t.Errorf("an app of one's own:\n%s", said)
	}
	// In the clone itself, too: the app is the examples', so that nothing but the upload is refused.
	run(filepath.Join(clone, "examples", "quote"), strings.SplitAfter(blocks[2], "\n")[0]+"agora sign app.wasm\nagora keys generate")
	if left := git(t, clone, "status", "--porcelain"); left != "" {
		t.Errorf("the README's commands make a mess of the clone:\n%s", left)
	}
}

// freshClone is the working tree as a person has it who clones it, with bin/agora built.
func freshClone(t *testing.T, dir string) string {
	t.Helper()
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	clone := filepath.Join(dir, "clone")
	for name := range strings.SplitSeq(strings.TrimSuffix(git(t, top, "ls-files", "-z", "--cached", "--others", "--exclude-standard"), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(top, name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(clone, name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(clone, name), content, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	git(t, clone, "init", "--quiet")
	git(t, clone, "add", "--all", "--force")
	git(t, clone, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "all")
	if err := os.Mkdir(filepath.Join(clone, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "bin", "agora"), filepath.Join(clone, "bin", "agora")); err != nil {
		t.Fatal(err)
	}
	return clone
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %q: %v", args, err)
	}
	return string(out)
}

// ownApp is a directory as a person has it who follows the README.
func ownApp(t *testing.T, dir string) string {
	t.Helper()
	own := filepath.Join(dir, "own")
	if err := os.Mkdir(own, 0o755); err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../../examples/quote/main.go")
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile("../../examples/quote/agora.toml")
	if err != nil {
		t.Fatal(err)
	}
	manifest = bytes.ReplaceAll(manifest, []byte("examples@agora.local"), []byte(demoUser))
	manifest = bytes.Replace(manifest, []byte(`name = "quote"`), []byte(`name = "my-quote"`), 1)
	for name, content := range map[string][]byte{"main.go": source, "agora.toml": manifest, "go.mod": []byte("module quote\n\ngo 1.26\n")} {
		if err := os.WriteFile(filepath.Join(own, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return own
}

// up runs `agora up` until the test ends, and returns its screen.
func up(t *testing.T, env []string, clone string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	cmd := exec.CommandContext(ctx, filepath.Join(clone, "bin/agora"), "up", "--listen", "127.0.0.1:0")
	cmd.Dir, cmd.Env = clone, env
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := os.Create(filepath.Join(filepath.Dir(clone), "screen"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = out, t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		_ = out.Close()
	})
	for ctx.Err() == nil {
		time.Sleep(200 * time.Millisecond)
		screen, err := os.ReadFile(out.Name())
		if err == nil && strings.Contains(string(screen), "Ctrl-C stops the node") {
			return string(screen)
		}
	}
	t.Fatal("agora up did not come up")
	return ""
}
