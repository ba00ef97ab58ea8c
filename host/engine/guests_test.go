package engine_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/registry"
)

// TestGoPrograms publishes what a Go developer writes first: html/template, which has a hundred
// thousand data segments, and net/http behind net/http/cgi, whose blocks nest deepest. Each is
// taken in, and serves with the limits that a manifest without limits has.
func TestGoPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles ten megabytes")
	}
	for name, source := range map[string]string{
		"html/template": `package main
import ("fmt"; "html/template"; "os")
func main() {
	fmt.Print("Content-Type: text/html\n\n")
	t := template.Must(template.New("page").Parse("<ul>{{range .}}<li>{{.}}</li>{{end}}</ul>"))
	t.Execute(os.Stdout, []string{"<one>", "two"})
}`,
		"net/http": `package main
import ("fmt"; "net/http"; "net/http/cgi"; "os")
func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "<ul><li>%s</li></ul>", r.URL.Path) })
	if err := cgi.Serve(nil); err != nil { fmt.Fprintln(os.Stderr, err); os.Exit(1) }
}`,
	} {
		t.Run(name, func(t *testing.T) {
			module := goGuest(t, source)
			if _, err := registry.Inspect(module); err != nil {
				t.Fatal(err)
			}
			l := registry.Manifest{}.WithDefaults().Limits
			e := newEngine(t)
			limits := engine.Limits{
				Fuel: l.Fuel, Memory: int64(l.Memory), Timeout: time.Minute, RequestBody: int64(l.RequestBody), ResponseBody: int64(l.ResponseBody), Concurrency: 1,
			}
			if err := e.Compile(t.Context(), module, limits); err != nil {
				t.Fatal(err)
			}
			p, err := e.Load(t.Context(), module, abi.InterfaceWASI, limits)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close(t.Context())
			r, err := p.Invoke(t.Context(), engine.Call{
				Request: &abi.Request{Method: "GET", Path: "/x", Host: "app.example.com"}, Stderr: func(line string) { t.Log(line) },
			})
			if err != nil || !strings.Contains(string(r.Response.Body), "<ul><li>") {
				t.Errorf("%v, %q", err, r.Response.Body)
			}
			t.Logf("%d instructions of %d, %d bytes of memory", r.Instructions, l.Fuel, r.MemoryPeak)
		})
	}
}

// TestDeepestFunctions: what lies at the bounds is also compiled, within the worker's limits.
func TestDeepestFunctions(t *testing.T) {
	single(t)
	bounds := wasm.DefaultBounds()
	nested := bytes.Repeat([]byte{wasm.OpBlock, wasm.BlockEmpty, wasm.OpI32Const, 0, wasm.OpBrIf, 0}, bounds.Nesting)
	nested = append(nested, bytes.Repeat([]byte{wasm.OpEnd}, bounds.Nesting)...)
	var moves []byte // each local takes the value of the one before
	for i := range bounds.Locals - 1 {
		moves = wasm.AppendU32(append(moves, wasm.OpLocalGet), i)
		moves = wasm.AppendU32(append(moves, wasm.OpLocalSet), i+1)
	}
	e := newEngine(t)
	for name, body := range map[string]wasm.Body{
		"blocks": {Code: append(nested, wasm.OpEnd)},
		"locals": {Locals: []wasm.LocalGroup{{Count: bounds.Locals, Type: wasm.I32}}, Code: append(moves, wasm.OpEnd)},
	} {
		m := &wasm.Module{
			Types: []wasm.FuncType{{}}, Funcs: []uint32{0}, Bodies: []wasm.Body{body}, Memory: &wasm.Limits{Min: 1},
			Exports: []wasm.Export{{Name: "memory", Kind: wasm.KindMemory}, {Name: "_start"}},
		}
		if err := e.Compile(t.Context(), m.Encode(), limits); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
