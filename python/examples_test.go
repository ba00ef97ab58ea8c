package python_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/python"
	"github.com/agora-host/agora/script"
	"github.com/agora-host/agora/script/scripttest"
)

// example runs one of the examples.
func example(t *testing.T, name string, links map[string]abi.Link, capabilities ...string) *scripttest.App {
	t.Helper()
	dir, err := filepath.Abs("../examples/python/" + name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := python.Build(t.Context(), script.Source{Entry: "app.py", Dir: dir, Capabilities: capabilities})
	if err != nil {
		t.Fatal(err)
	}
	return scripttest.Start(t, b.Module, limits, links)
}

func TestExampleRates(t *testing.T) {
	a := example(t, "rates", nil)
	if got, want := a.Text("/?amount=12.50&from=EUR&to=SEK"), `{"amount": 12.5, "from": "EUR", "to": "SEK", "result": 140.0}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if r := a.Get("/?to=XXX"); r.Status != 404 || !strings.Contains(string(r.Body), `"known": ["CHF", "EUR", "GBP", "SEK"]`) {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if r := a.Get("/?amount=x"); r.Status != 400 {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

func TestExampleFeedback(t *testing.T) {
	kept := map[string]string{}
	a := example(t, "feedback", map[string]abi.Link{"kv": {
		"get": func(_ context.Context, in []byte) ([]byte, abi.Errno) { return []byte(kept[string(in)]), abi.ErrnoOK },
		"put": func(_ context.Context, in []byte) ([]byte, abi.Errno) {
			n := int(in[8])
			kept[string(in[12:12+n])] = string(in[12+n:])
			return nil, abi.ErrnoOK
		},
		"scan": func(_ context.Context, in []byte) (all []byte, _ abi.Errno) {
			for key := range kept {
				all = append(append(all, byte(len(key)), 0, 0, 0), key...)
			}
			return all, abi.ErrnoOK
		},
	}}, "kv", "log")
	form := []abi.Field{{Name: "content-type", Value: "application/x-www-form-urlencoded"}}
	for _, body := range []string{"name=Ada&text=%3Cb%3Egood%3C%2Fb%3E", "name=Bj%C3%B6rn&text=ok"} {
		if r := a.Do(abi.Request{Path: "/", Method: "POST", Header: form, Body: []byte(body)}); r.Status != 303 {
			t.Fatalf("%d %s\n%s", r.Status, r.Body, a.Logged())
		}
	}
	if r := a.Do(abi.Request{Path: "/", Method: "POST", Header: form, Body: []byte("name=+")}); r.Status != 400 {
		t.Errorf("an empty one: %d", r.Status)
	}
	page := a.Text("/")
	if !strings.Contains(page, "<b>Ada</b>: &lt;b&gt;good&lt;/b&gt;") || !strings.Contains(page, "<b>Björn</b>: ok") {
		t.Errorf("the page is %s", page)
	}
}

// TestEngineDigest compares what is embedded with the digest beside it; that both are what the sources make is
// .ci/engine's to say. The order of capabilities is the packer's.
func TestEngineDigest(t *testing.T) {
	compressed := read(t, "engine/engine.wasm.gz")
	got, err := script.NewEngine("", "", compressed).Digest()
	if want := strings.TrimSpace(string(read(t, "engine/engine.wasm.sha256"))); err != nil || got != want {
		t.Errorf("the engine is %s, not %s (%v)", got, want, err)
	}
	if len(compressed) > 300<<10 {
		t.Errorf("the engine has %d KiB", len(compressed)>>10)
	}
	if want := "enum { " + strings.ToUpper(strings.Join(script.Capabilities(), ", ")) + " };"; !strings.Contains(string(read(t, "engine/output.c")), want) {
		t.Errorf("engine/output.c does not have %s", want)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
