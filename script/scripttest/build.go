package scripttest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/agora-host/agora/script"
)

// Language is what makes modules of scripts in a language.
type Language struct {
	Entry string // the name of an app's only file
	Make  func(context.Context, script.Source) (script.Built, error)
}

// Build makes a module of one file.
func (l Language) Build(t testing.TB, source string, capabilities ...string) script.Built {
	t.Helper()
	b, err := l.Make(t.Context(), script.Source{Entry: l.Entry, Code: []byte(source), Capabilities: capabilities})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Serve runs an app of one file that logs.
func (l Language) Serve(t testing.TB, source string) *App {
	t.Helper()
	return Start(t, l.Build(t, source, "log").Module, Limits, nil)
}

// Refuse builds what cannot be built, and returns what is said of it.
func (l Language) Refuse(t testing.TB, s script.Source) []script.Diagnostic {
	t.Helper()
	_, err := l.Make(t.Context(), s)
	e, ok := errors.AsType[*script.Error](err)
	if !ok {
		t.Fatalf("%v is no *script.Error", err)
	}
	return e.Diagnostics
}

// Versions returns the versions of a language's engine, as versions.txt lists them in the directory of the test, and
// fails unless the last is the one with which modules are made now, and each is there once and in order. With update it
// adds a last one first.
func Versions(t testing.TB, update bool, version func() (string, error), versions func() ([]script.Known, error)) []script.Known {
	t.Helper()
	now, err := version()
	if err != nil {
		t.Fatal(err)
	}
	all, err := versions()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(all); update && (n == 0 || all[n-1].Version != now) {
		f, err := os.OpenFile("versions.txt", os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = fmt.Fprintf(f, "%s\t%s\n", time.Now().UTC().Format(time.DateOnly), now)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	} else if n == 0 || all[n-1].Version != now || !all[n-1].Until.IsZero() {
		t.Errorf("what makes modules was changed: they are made with %s now, and versions.txt ends with %+v\nafter: go test . -run TestVersions -update, in the package's directory", now, all[max(0, n-1):])
	}
	seen := map[string]bool{}
	for i, v := range all {
		if seen[v.Version] || (i > 0 && all[i-1].Until.IsZero()) || (i > 1 && all[i-1].Until.Before(all[i-2].Until)) {
			t.Errorf("%+v is there twice, or out of order", v)
		}
		seen[v.Version] = true
	}
	return all
}
