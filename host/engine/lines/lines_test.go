package lines

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/metering/fuel"
)

// canTrap are instructions that a rewriter copies and never adds.
func canTrap(in wasm.Instr) bool {
	return in.Op >= 0x28 && in.Op <= 0x3e || in.Op == wasm.OpI32DivU || in.Op == wasm.OpCallIndirect
}

func places(code []byte) (all []int) {
	c := wasm.NewCode(code, bounds)
	for in := (wasm.Instr{}); c.Next(&in); {
		if canTrap(in) {
			all = append(all, in.Start)
		}
	}
	return all
}

// TestOrigins: in random programs, rewritten to count themselves, everything that
// can trap is found where it went.
func TestOrigins(t *testing.T) {
	checked := 0
	for seed := range uint64(200) {
		m := wasmtest.Generate(rand.New(rand.NewPCG(seed, 1)))
		raw, err := wasm.Parse(m.Encode(), wasm.DefaultBounds())
		if err != nil {
			t.Fatal(err)
		}
		r, err := fuel.Rewrite(raw, fuel.Options{MemoryPages: 16, TableElements: 1000, CallDepth: 100})
		if err != nil {
			t.Fatal(err)
		}
		compiled, err := wasm.Parse(r.Module, roomy)
		if err != nil {
			t.Fatal(err)
		}
		for i := range raw.Bodies {
			known := origins(raw, compiled, i)
			old, now := places(raw.Bodies[i].Code), places(compiled.Bodies[i].Code)
			if len(old) != len(now) {
				t.Fatalf("seed %d, function %d: %d instructions that can trap became %d", seed, i, len(old), len(now))
			}
			for j := range old {
				if at, ok := before(known, now[j]); !ok || at != old[j] {
					t.Errorf("seed %d, function %d: the instruction at %d came from %d, and was taken for the one at %d (%v)", seed, i, now[j], old[j], at, ok)
				}
				checked++
			}
		}
	}
	if checked < 1000 {
		t.Errorf("only %d instructions were looked for", checked)
	}
}

// roomy leaves room for what a rewriter added.
var roomy = func() wasm.Bounds {
	b := wasm.DefaultBounds()
	b.Body, b.MutableGlobals, b.Locals, b.Nesting, b.Blocks = 1<<24, 1<<10, 1<<16, 1<<16, 1<<20
	return b
}()

// TestTable: what was written is found, at and around every row.
func TestTable(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		b := &builder{ids: map[position]uint32{}}
		b.files = []string{"a.c", "ü/b.c"}
		var rows []at
		for native := uint32(0); len(rows) < 40; native += 1 + r.Uint32N(300) {
			p := at{native: native}
			if r.IntN(4) > 0 {
				caller := uint32(0)
				if n := len(b.positions); n > 0 && r.IntN(2) == 0 {
					caller = 1 + r.Uint32N(uint32(n))
				}
				p.position = 1 + b.number(position{r.Uint32N(2), 1 + r.Uint32N(1000), caller})
			}
			rows = append(rows, p)
		}
		table := b.encode(rows)
		for i, row := range rows {
			end := row.native + 1
			if i+1 < len(rows) {
				end = rows[i+1].native
			}
			got, err := Find(table, []uint32{end, row.native + 1, 0})
			if want := show(b.files, b.positions, row.position); err != nil || got[0] != want || got[1] != want || got[2] != "" {
				t.Fatalf("row %d: %q, %v; want %q", i, got, err, want)
			}
		}
	}
}

// guests are modules with DWARF of both versions, see ../testdata/lines/build.sh.
func guests(t testing.TB) (modules [][]byte) {
	paths, err := filepath.Glob("../testdata/lines/*.wasm")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no guests: %v", err)
	}
	for _, p := range paths {
		raw, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		modules = append(modules, raw)
	}
	return modules
}

// FuzzDWARF: whatever debug information says, a table is made of it that can be
// read, or none.
func FuzzDWARF(f *testing.F) {
	names := []string{".debug_info", ".debug_line", ".debug_abbrev", ".debug_ranges", ".debug_str", ".debug_rnglists", ".debug_line_str", ".debug_str_offsets", ".debug_addr"}
	for _, raw := range guests(f) {
		m, err := wasm.Parse(raw, wasm.DefaultBounds())
		if err != nil {
			f.Fatal(err)
		}
		var seed []byte
		for i, name := range names {
			at := slices.IndexFunc(m.Custom, func(c wasm.Custom) bool { return c.Name == name })
			if at >= 0 {
				data := m.Custom[at].Data
				seed = append(binary.LittleEndian.AppendUint16(append(seed, byte(i)), uint16(len(data))), data...)
			}
		}
		f.Add(seed)
	}
	m, err := wasm.Parse(guests(f)[0], wasm.DefaultBounds())
	if err != nil {
		f.Fatal(err)
	}
	var mapped []byte
	for at := range uint64(1 << 11) {
		mapped = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(mapped, at), at)
	}
	f.Fuzz(func(t *testing.T, sections []byte) {
		hostile := *m
		hostile.Custom = nil
		for len(sections) > 3 {
			n := min(int(binary.LittleEndian.Uint16(sections[1:])), len(sections)-3)
			hostile.Custom = append(hostile.Custom, wasm.Custom{Name: names[int(sections[0])%len(names)], Data: sections[3 : 3+n]})
			sections = sections[3+n:]
		}
		table, err := Make(&hostile, m, mapped)
		if err != nil {
			return
		}
		found, err := Find(table, []uint32{0, 1, 100, 1 << 11, 1<<32 - 1})
		if err != nil {
			t.Fatalf("a table cannot be read: %v", err)
		}
		for _, line := range found {
			if len(line) > (maxInlining+1)*(maxName+40) || strings.ContainsAny(line, "\n\x1b") {
				t.Fatalf("a line would break a log: %q", line)
			}
		}
	})
}

// FuzzTable: a damaged table and a damaged file of code are refused, and no more.
func FuzzTable(f *testing.F) {
	b := &builder{ids: map[position]uint32{}}
	b.files = []string{"a.c"}
	b.number(position{0, 7, 0})
	b.number(position{0, 8, 1})
	f.Add(b.encode([]at{{0, 1}, {10, 2}, {300, 0}}))
	file := append([]byte("WAZEVO\x061.12.0\x01\x00\x00\x00"), make([]byte, 8+8+4)...)
	file = append(append(file, 1, 1, 0, 0, 0, 0, 0, 0, 0), make([]byte, 16+4)...)
	f.Add(file)
	f.Fuzz(func(t *testing.T, b []byte) {
		if found, err := Find(b, []uint32{0, 5, 1 << 31}); err == nil && len(found) != 3 {
			t.Fatalf("found %q", found)
		}
		without, places, err := Split(b)
		if err == nil && (len(without) != len(b)-8-len(places) || !bytes.HasPrefix(b, without[:10])) {
			t.Fatalf("%d bytes became %d and %d", len(b), len(without), len(places))
		}
	})
}
