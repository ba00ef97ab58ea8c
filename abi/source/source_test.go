package source

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi/wasm"
)

// TestSections reads back what is written, and nothing of a module that says nothing.
func TestSections(t *testing.T) {
	info := Origin{Engine: "e 1", Version: "e 1+ab", Entry: "app.ts", Source: strings.Repeat("0", 64), Packages: true}
	files := []File{{"app.ts", "export default 1 // <ü>\n"}, {"lib/a.ts", ""}}
	all, err := Sections(info, files)
	if err != nil {
		t.Fatal(err)
	}
	m := (&wasm.Module{Custom: all}).Encode()
	if got, ok := ReadOrigin(m); !ok || got != info {
		t.Errorf("read %+v, %t", got, ok)
	}
	if got := ReadFiles(m); !slices.Equal(got, files) {
		t.Errorf("read %+v", got)
	}
	empty := (&wasm.Module{}).Encode()
	if _, ok := ReadOrigin(empty); ok || ReadFiles(empty) != nil {
		t.Error("a module that says nothing was read")
	}
	if all, err := Sections(info, []File{{"big.ts", strings.Repeat("x", maxFiles)}}); err != nil || len(all) != 1 {
		t.Errorf("files that cannot be read again: %d sections, %v", len(all), err)
	}
}

// FuzzRead reads what any module says of itself.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"engine":"quickjs","entry":"app.ts"}`))
	f.Add([]byte(`[{"name":"app.ts","contents":"x"}]`))
	f.Add([]byte(`[{"name":"","contents":"x"}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := (&wasm.Module{Custom: []wasm.Custom{{Name: infoSection, Data: data}, {Name: filesSection, Data: data}}}).Encode()
		if i, ok := ReadOrigin(m); ok && (len(data) > maxInfo || !json.Valid(data) || i.Engine == "") {
			t.Errorf("%q was read as %+v", data, i)
		}
		for _, file := range ReadFiles(m) {
			if file.Name == "" || len(file.Name) > mostName {
				t.Errorf("%q was read as %+v", data, file)
			}
		}
	})
}
