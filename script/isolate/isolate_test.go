package isolate_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/javascript"
	"github.com/agora-host/agora/script"
	"github.com/agora-host/agora/script/isolate"
	"github.com/agora-host/agora/script/languages"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "build-worker" { // a child of these tests
		os.Exit(isolate.Worker(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

func builder(t *testing.T) *isolate.Builder {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &isolate.Builder{Worker: []string{exe, "build-worker"}, Time: 30 * time.Second}
}

// TestBuild: a child makes the module that is made of the same script here.
func TestBuild(t *testing.T) {
	python := []byte("def fetch(request, env):\n    return 'hello'\n")
	in, err := languages.Build(t.Context(), script.Source{Entry: "app.py", Code: python, Capabilities: []string{"kv"}})
	if err != nil {
		t.Fatal(err)
	}
	if out, _, err := builder(t).Build(t.Context(), "app.py", python, []string{"kv"}); err != nil || !bytes.Equal(in.Module, out.Module) || len(out.Warnings) == 0 {
		t.Errorf("in Python: %d bytes here, %d there, %v", len(in.Module), len(out.Module), err)
	}
	code := []byte("const a: number = 1;\nexport default { fetch() { return new Response('hello ' + a) } }\n")
	here, err := javascript.Build(t.Context(), javascript.Source{Entry: "app.ts", Code: code, Capabilities: []string{"kv"}})
	if err != nil {
		t.Fatal(err)
	}
	there, spent, err := builder(t).Build(t.Context(), "app.ts", code, []string{"kv"})
	if err != nil || !bytes.Equal(here.Module, there.Module) || spent <= 0 {
		t.Errorf("%d bytes here, %d there, %s, %v", len(here.Module), len(there.Module), spent, err)
	}
	if len(there.Files) != 1 || there.Files[0].Contents != string(code) {
		t.Errorf("the files are %+v", there.Files)
	}
}

// TestWrong: what is wrong with a script is told at its line, and no file of the machine is read for it.
func TestWrong(t *testing.T) {
	for _, c := range []struct{ entry, code, want string }{
		{"app.ts", "const a = 1;\nconst = 2", "app.ts:2:7: Expected identifier"},
		{"app.ts", "import a from '/etc/passwd';\nexport default a", "cannot be imported"},
		{"app.ts", "import a from './isolate.go';\nexport default a", "cannot be imported"},
		{"app.rb", "print()", "is no script"},
		{"app.ts", "export default 1;" + strings.Repeat(" ", javascript.MaxScript), "a script has at most 5 MiB"},
	} {
		_, _, err := builder(t).Build(t.Context(), c.entry, []byte(c.code), nil)
		wrong, ok := errors.AsType[*javascript.Error](err)
		if !ok || !strings.Contains(wrong.Error(), c.want) {
			t.Errorf("%.40q: %v, want %q", c.code, err, c.want)
		}
	}
}

// TestTooHeavy: a script that takes too long to build ends with its child, and says so.
func TestTooHeavy(t *testing.T) {
	b := builder(t)
	b.Time = time.Millisecond
	if _, _, err := b.Build(t.Context(), "app.ts", []byte("export default 1"), nil); !errors.Is(err, isolate.ErrTooHeavy) {
		t.Errorf("%v", err)
	}
	nested := "export default " + strings.Repeat("[", 2<<20)
	if _, _, err := builder(t).Build(t.Context(), "app.ts", []byte(nested), nil); err == nil {
		t.Error("two million brackets were built")
	} else if wrong, ok := errors.AsType[*javascript.Error](err); !ok && !errors.Is(err, isolate.ErrTooHeavy) {
		t.Errorf("%T %.300v %v", err, err, wrong)
	}
}
