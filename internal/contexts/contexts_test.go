package contexts_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/internal/contexts"
)

func update(t *testing.T, path string, change func(*contexts.File) error) {
	t.Helper()
	if err := contexts.Update(path, change); err != nil {
		t.Fatal(err)
	}
}

func put(c contexts.Context) func(*contexts.File) error {
	return func(f *contexts.File) error { _, err := f.Put(c); return err }
}

// TestFile: the file is for its user alone, whatever mode it had, a link to it stays one, and
// nothing is left beside it but the lock.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "real.json"), filepath.Join(dir, "link.json")
	if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	update(t, link, put(contexts.Context{Name: "a", URL: "https://a.example.com", Token: "t"}))
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if to, err := os.Readlink(link); err != nil || to != path {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	f, err := contexts.Read(link)
	if err != nil || !slices.Equal(f.Names(), []string{"a"}) {
		t.Errorf("%v, %v", f, err)
	}
	refused := errors.New("no")
	if err := contexts.Update(path, func(f *contexts.File) error { f.Contexts = nil; return refused }); !errors.Is(err, refused) {
		t.Error(err)
	}
	if f, _ := contexts.Read(path); len(f.Contexts) != 1 {
		t.Error("a change that was refused is kept")
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	if hidden, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) != 3 || len(hidden) != 0 {
		t.Errorf("left over: %q %q", left, hidden)
	}
}

// TestAtOnce: of changes that are made at the same time none is lost.
func TestAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "config.json")
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if err := contexts.Update(path, put(contexts.Context{URL: fmt.Sprintf("http://localhost:%d", 8000+i), User: "ada@example.com"})); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if f, err := contexts.Read(path); err != nil || len(f.Contexts) != 20 {
		t.Errorf("%d contexts, %v; want 20", len(f.Contexts), err)
	}
}

// TestMigration: the one login of an earlier version is a context.
func TestMigration(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"a node", `{"url":"https://agora.example.com","token":"t1","user":"ada@example.com"}`, "agora.example.com"},
		{"a demo node", `{"url":"http://localhost:8080","token":"t1","user":"you@agora.local"}`, "demo"},
		{"a node without a user", `{"url":"http://[::1]:8080","token":"t1"}`, "node-2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.json")
			if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			update(t, path, func(*contexts.File) error { return nil })
			f, err := contexts.Read(path)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := f.Find(f.Current); err != nil || got.Name != c.want || got.Token != "t1" {
				t.Errorf("%+v, %v; want %s", got, err, c.want)
			}
			if raw, _ := os.ReadFile(path); !strings.Contains(string(raw), `"contexts"`) {
				t.Errorf("not migrated: %s", raw)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := contexts.Read(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a damaged file: %v", err)
	}
	if err := contexts.Update(path, func(*contexts.File) error { return nil }); err == nil {
		t.Error("a damaged file was replaced")
	}
}

// TestDemo: the context of a demo node follows its data directory, and replaces nothing.
func TestDemo(t *testing.T) {
	demo := func(f *contexts.File, url, data string) string {
		name, err := f.PutDemo(contexts.Context{URL: url, User: "you@agora.local", Token: url, Data: data})
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	var f contexts.File
	if name := demo(&f, "http://localhost:8080", "/a"); name != "demo" || f.Current != "demo" {
		t.Errorf("the first context is %s, and current is %q", name, f.Current)
	}
	if name := demo(&f, "http://localhost:8081", "/b"); name != "demo-2" || f.Current != "demo" {
		t.Errorf("a second node: %s, and current is %q", name, f.Current)
	}
	if name := demo(&f, "http://localhost:9000", "/a"); name != "demo" || len(f.Contexts) != 2 || f.Contexts[0].URL != "http://localhost:9000" {
		t.Errorf("the first node at another port: %s, %v", name, f)
	}
	if name := demo(&f, "http://localhost:9000", "/c"); name != "demo-3" || f.Contexts[0].Data != "/a" {
		t.Errorf("another node at the same port: %s, %v", name, f)
	}
	if err := f.Delete("demo"); err != nil || f.Current != "" {
		t.Errorf("%v, current is %q", err, f.Current)
	}
	if demo(&f, "http://localhost:9001", "/d"); f.Current != "" {
		t.Errorf("there are contexts, and %q became current", f.Current)
	}
}

// TestNames: names that are taken, and that are none.
func TestNames(t *testing.T) {
	var f contexts.File
	add := func(c contexts.Context) (string, error) { return f.Put(c) }
	for _, c := range []struct{ url, user, want string }{
		{"https://agora.example.com", "ada@example.com", "agora.example.com"},
		{"https://AGORA.example.com:443/", "ada@example.com", "agora.example.com"}, // the same node
		{"https://agora.example.com", "rex@example.com", "rex@agora.example.com"},
		{"https://agora.example.com", "rex@other.com", "node-2"},
		{"http://agora.example.com", "ada@example.com", "ada@agora.example.com"}, // another origin
	} {
		if name, err := add(contexts.Context{URL: c.url, User: c.user}); err != nil || name != c.want {
			t.Errorf("%s as %s: %s, %v; want %s", c.url, c.user, name, err, c.want)
		}
	}
	if _, err := add(contexts.Context{Name: "node-2", URL: "https://other.example.com"}); !errors.Is(err, contexts.ErrExists) {
		t.Errorf("a name that is taken: %v", err)
	}
	for _, name := range []string{" ", "-a", "a b", "a/b", "ä", "$(x)", strings.Repeat("a", 101), "a\n"} {
		if _, err := add(contexts.Context{Name: name, URL: "https://x.example.com"}); !errors.Is(err, contexts.ErrBadName) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := f.Rename("node-2", "agora.example.com"); !errors.Is(err, contexts.ErrExists) {
		t.Errorf("renamed to a name that is taken: %v", err)
	}
	for _, err := range []error{f.Use("none"), f.Rename("none", "a"), f.Delete("none")} {
		if !errors.Is(err, contexts.ErrNotFound) || !strings.Contains(err.Error(), "agora.example.com") {
			t.Errorf("%v", err)
		}
	}
	if _, ok := f.For("https://agora.example.com"); ok {
		t.Error("one of several was chosen")
	}
	if err := f.Use("node-2"); err != nil {
		t.Fatal(err)
	}
	if c, ok := f.For("https://agora.example.com/"); !ok || c.Name != "node-2" {
		t.Errorf("%v, %v; want the current one", c, ok)
	}
}

// TestModel: whatever is done, names are unique, the current one is there, and no context is
// another node's or user's than it was.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f contexts.File
		names := rapid.SampledFrom([]string{"", "a", "b", "demo", "demo-2"})
		urls := rapid.SampledFrom([]string{"http://localhost:8080", "http://localhost:8081", "https://a.example.com"})
		users := rapid.SampledFrom([]string{"ada@example.com", "rex@example.com", "you@agora.local"})
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			was := slices.Clone(f.Contexts)
			current := f.Current
			name := names.Draw(t, "name")
			step := rapid.IntRange(0, 4).Draw(t, "step")
			switch step {
			case 0, 1:
				_, _ = f.Put(contexts.Context{Name: name, URL: urls.Draw(t, "url"), User: users.Draw(t, "user")})
			case 2:
				_, _ = f.PutDemo(contexts.Context{URL: urls.Draw(t, "url"), User: "you@agora.local", Data: rapid.SampledFrom([]string{"/a", "/b"}).Draw(t, "data")})
			case 3:
				_ = f.Use(name)
			case 4:
				_ = f.Delete(name)
			}
			seen := map[string]bool{}
			for _, c := range f.Contexts {
				if seen[c.Name] || c.Name == "" {
					t.Fatalf("name %q twice, or none: %v", c.Name, f)
				}
				seen[c.Name] = true
				for _, o := range was {
					if o.Name == c.Name && o.Data == "" && (o.User != c.User || !contexts.SameNode(o.URL, c.URL)) {
						t.Fatalf("%v became %v", o, c)
					}
				}
			}
			if f.Current != "" && !seen[f.Current] {
				t.Fatalf("%q is current, and not there", f.Current)
			}
			if step < 3 && current != f.Current && len(was) > 0 {
				t.Fatalf("adding made %q current", f.Current)
			}
		}
	})
}
