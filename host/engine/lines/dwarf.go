package lines

import (
	"cmp"
	"debug/dwarf"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/agora-host/agora/abi/wasm"
)

// Has reports whether a module says from which lines it was made.
func Has(m *wasm.Module) bool {
	return slices.ContainsFunc(m.Custom, func(c wasm.Custom) bool { return c.Name == ".debug_line" && len(c.Data) > 0 })
}

// What is read of one module's DWARF at most.
const (
	maxRows    = 2 << 20
	maxInlined = 1 << 19
	maxUnits   = 1 << 15
	maxName    = 200 // bytes of a file's name
	maxTime    = 5 * time.Second
)

var errTooMuch = errors.New("there is more debug information than is read")

// row says that code from an offset on was made from a line; line 0 ends what
// the row before it said. Offsets count from the start of the code section's contents.
type row struct {
	at   uint32
	file uint32
	line uint32
}

// inlined says that the code of a range was inlined, and where the call stood.
type inlined struct {
	from, to   uint32
	file, line uint32
}

// source is what a module's DWARF says about its code.
type source struct {
	files   []string
	rows    []row     // by offset
	inlined []inlined // by from; who contains others comes first
}

// reading collects a source.
type reading struct {
	source
	data     *dwarf.Data
	names    map[string]uint32
	deadline time.Time
}

// readSource reads the sections that WebAssembly carries DWARF in
// (https://yurydelendik.github.io/webassembly-dwarf/). debug/dwarf panics on some that are damaged, such
// as a line program whose file number overflows: that is an error like its others.
func readSource(m *wasm.Module) (src source, err error) {
	defer func() {
		if p := recover(); p != nil {
			src, err = source{}, fmt.Errorf("debug/dwarf: %v", p)
		}
	}()
	section := map[string][]byte{}
	for _, c := range m.Custom {
		if strings.HasPrefix(c.Name, ".debug_") {
			section[c.Name] = c.Data
		}
	}
	data, err := dwarf.New(section[".debug_abbrev"], nil, nil, section[".debug_info"], section[".debug_line"], nil, section[".debug_ranges"], section[".debug_str"])
	if err != nil {
		return source{}, err
	}
	for _, name := range []string{".debug_addr", ".debug_line_str", ".debug_rnglists", ".debug_str_offsets"} { // version 5
		if err := data.AddSection(name, section[name]); err != nil {
			return source{}, err
		}
	}
	r := &reading{data: data, names: map[string]uint32{}, deadline: time.Now().Add(maxTime)}
	if err := r.units(); err != nil {
		return source{}, err
	}
	slices.SortStableFunc(r.rows, func(a, b row) int { return cmp.Compare(a.at, b.at) })
	slices.SortStableFunc(r.inlined, func(a, b inlined) int { return cmp.Compare(a.from, b.from) })
	return r.source, nil
}

// units reads every compilation unit.
func (r *reading) units() error {
	entries := r.data.Reader()
	var files []*dwarf.LineFile
	dir := ""
	for units := 0; ; {
		e, err := entries.Next()
		switch {
		case err != nil:
			return err
		case e == nil:
			return nil
		case time.Now().After(r.deadline) || units > maxUnits:
			return errTooMuch
		case e.Tag == dwarf.TagCompileUnit:
			units++
			dir, _ = e.Val(dwarf.AttrCompDir).(string)
			if files, err = r.lines(e, dir); err != nil {
				return err
			}
		case e.Tag == dwarf.TagInlinedSubroutine:
			if err := r.inline(e, files, dir); err != nil {
				return err
			}
		}
	}
}

// lines reads a unit's line program, and returns its files.
func (r *reading) lines(unit *dwarf.Entry, dir string) ([]*dwarf.LineFile, error) {
	program, err := r.data.LineReader(unit)
	if err != nil || program == nil {
		return nil, err
	}
	ids := map[*dwarf.LineFile]uint32{}
	first := len(r.rows) // of the sequence that is read
	var e dwarf.LineEntry
	for {
		if err := program.Next(&e); errors.Is(err, io.EOF) {
			r.rows = r.rows[:first] // a sequence without its end
			return program.Files(), nil
		} else if err != nil {
			return nil, err
		}
		switch {
		case len(r.rows) >= maxRows:
			return nil, errTooMuch
		case e.EndSequence:
			r.rows = append(r.rows, row{at: uint32(e.Address)})
			if removed(uint64(r.rows[first].at)) {
				r.rows = r.rows[:first]
			}
			first = len(r.rows)
		case e.Line > 0 && e.File != nil: // a line of 0 is code that the compiler thought of
			id, ok := ids[e.File]
			if !ok {
				id = r.name(e.File.Name, dir)
				ids[e.File] = id
			}
			r.rows = append(r.rows, row{at: uint32(e.Address), file: id, line: uint32(e.Line)})
		}
	}
}

// inline notes where an inlined function's code lies.
func (r *reading) inline(e *dwarf.Entry, files []*dwarf.LineFile, dir string) error {
	file, _ := e.Val(dwarf.AttrCallFile).(int64)
	line, _ := e.Val(dwarf.AttrCallLine).(int64)
	if file < 0 || file >= int64(len(files)) || files[file] == nil || line <= 0 || line > 1<<31 {
		return nil
	}
	ranges, err := r.data.Ranges(e)
	if err != nil {
		return err
	}
	if len(r.inlined)+len(ranges) > maxInlined {
		return errTooMuch
	}
	id := r.name(files[file].Name, dir)
	for _, span := range ranges {
		if !removed(span[0]) && span[0] < span[1] && span[1] < 1<<32 {
			r.inlined = append(r.inlined, inlined{from: uint32(span[0]), to: uint32(span[1]), file: id, line: uint32(line)})
		}
	}
	return nil
}

// removed reports whether an address is what linkers write for code that they left
// out: 0, -1 or -2.
func removed(at uint64) bool { return uint32(at) == 0 || uint32(at) >= 0xfffffffe }

// name is a file's number. A file below the directory in which the author
// compiled is named as seen from there.
func (r *reading) name(file, dir string) uint32 {
	if id, ok := r.names[file]; ok {
		return id
	}
	shown := file
	if dir != "" {
		shown = strings.TrimPrefix(strings.TrimPrefix(file, strings.TrimSuffix(dir, "/")+"/"), "./")
	}
	shown = strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return '?'
	}, shown)
	if len(shown) > maxName {
		shown = "…" + strings.ToValidUTF8(shown[len(shown)-maxName:], "")
	}
	id := uint32(len(r.files))
	r.files = append(r.files, shown)
	r.names[file] = id
	return id
}
