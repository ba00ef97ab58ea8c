package javascript

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
)

// lookup reads the table as engine/lines.c does: the last entry that is not behind a place.
func lookup(table []byte, line, column int) (name string, sourceLine, sourceColumn int, ok bool) {
	u32 := func(at int) int { return int(binary.LittleEndian.Uint32(table[at:])) }
	sources, blocks := u32(0), u32(4)
	var found mapping
	for i := range blocks {
		index := 8 + 8*sources + 24*i
		e := mapping{line: u32(index), column: u32(index + 4), source: u32(index + 8), sourceLine: u32(index + 12), sourceColumn: u32(index + 16)}
		rest, end := u32(index+20), len(table)
		if i+1 < blocks {
			end = u32(index + 24 + 20)
		}
		for {
			if e.line > line || e.line == line && e.column > column {
				break
			}
			found, ok = e, true
			if rest == end {
				break
			}
			var d [5]int
			for k := range d {
				v, n := binary.Varint(table[rest:])
				d[k], rest = int(v), rest+n
			}
			e.line += d[0]
			if d[0] != 0 {
				e.column = 0
			}
			e.column += d[1]
			e.source, e.sourceLine, e.sourceColumn = e.source+d[2], e.sourceLine+d[3], e.sourceColumn+d[4]
		}
	}
	if !ok || found.line != line {
		return "", 0, 0, false
	}
	at := 8 + 8*found.source
	return string(table[u32(at):][:u32(at+4)]), found.sourceLine, found.sourceColumn, true
}

// TestLineTable compares the table with the mappings it was made of, at random places.
func TestLineTable(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		m := sourceMap{Sources: []string{"app.ts", "lib/a.ts", "node_modules/p/i.js"}}
		var all []mapping
		line, column := 0, 0
		for range random.IntN(400) {
			if random.IntN(4) == 0 {
				line, column = line+1+random.IntN(3), 0
			}
			column += random.IntN(300)
			all = append(all, mapping{line, column, random.IntN(3), random.IntN(5000), random.IntN(200)})
		}
		table := lineTable(m, slices.Clone(all))
		kept := essential(m, slices.Clone(all))
		for range 200 {
			l, c := random.IntN(line+2), random.IntN(2000)
			want, has := find(kept, l, c)
			name, sl, sc, ok := lookup(table, l+1, c+1)
			if ok != has || ok && (name != m.Sources[want.source] || sl != want.sourceLine+1 || sc != want.sourceColumn+1) {
				t.Fatalf("%d:%d is %s:%d:%d (%v), not %+v (%v)", l, c, name, sl, sc, ok, want, has)
			}
			// What was left out says the same source and line.
			if full, has := find(all, l, c); has && (full.source != want.source || full.sourceLine != want.sourceLine) && !sameColumn(all, l, c) {
				t.Fatalf("%d:%d was %+v and became %+v", l, c, full, want)
			}
		}
	}
}

// sameColumn reports whether two mappings have the place that is found: then either is right.
func sameColumn(all []mapping, line, column int) bool {
	e, _ := find(all, line, column)
	n := 0
	for _, o := range all {
		if o.line == e.line && o.column == e.column {
			n++
		}
	}
	return n > 1
}

func TestSourceName(t *testing.T) {
	for in, want := range map[string]string{
		"app.ts": "app.ts", "./lib/a.ts": "lib/a.ts", "../../home/ada/app/lib.ts": "lib.ts", "/home/ada/app.ts": "app.ts",
		"../node_modules/@a/b/i.js": "node_modules/@a/b/i.js", "node_modules/x/node_modules/y/i.js": "node_modules/x/node_modules/y/i.js",
		`..\..\Users\Ada\x.ts`: "x.ts",
	} {
		if got := sourceName(in); got != want {
			t.Errorf("%q became %q, not %q", in, got, want)
		}
	}
}

func TestHidePaths(t *testing.T) {
	in := `var a=b({"../../ada/node_modules/x/i.js"(e){}}),c="../../ada/kept";`
	want := `var a=b({"__________node_modules/x/i.js"(e){}}),c="../../ada/kept";`
	if got := hidePaths(in); got != want {
		t.Errorf("%s", got)
	}
}

func FuzzMappings(f *testing.F) {
	f.Add("AAAA;CACA,EAAE;;AAgBC")
	f.Fuzz(func(t *testing.T, s string) {
		all, err := decodeMappings(s, 1)
		if err == nil {
			lineTable(sourceMap{Sources: []string{"a"}}, all)
		}
	})
}
