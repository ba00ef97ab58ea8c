package lines

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/agora-host/agora/abi/wasm"
)

// MaxTable is the most bytes of a table.
const MaxTable = 16 << 20

// A table is made of unsigned LEB128 integers and strings with their length:
//
//	the number of files, their names
//	the number of positions; of each the file, the line, and 1 plus the number of
//	  the position where the call stood that was inlined, which comes earlier; or 0
//	rows, up to the end: how much further in the machine code, and 1 plus the number
//	  of the position from there on; or 0
type position struct{ file, line, caller uint32 }

// maxInlining is how many inlined calls are shown of one place.
const maxInlining = 8

// Make makes the table of a module that was compiled. m is the author's, compiled
// what was compiled, and places its map of places. Its error says what is
// wrong with the author's debug information.
func Make(m, compiled *wasm.Module, places []byte) ([]byte, error) {
	src, err := readSource(m)
	if err != nil {
		return nil, err
	}
	b := &builder{source: src, ids: map[position]uint32{}}
	at := b.walk(m, compiled, readPlaces(places))
	table := b.encode(at)
	if len(table) > MaxTable {
		return nil, errTooMuch
	}
	return table, nil
}

// builder numbers positions.
type builder struct {
	source
	positions []position
	ids       map[position]uint32
}

// at is a place with the number of its position and 1; 0 if it is not known.
type at struct{ native, position uint32 }

// walk finds the position of each place.
func (b *builder) walk(m, compiled *wasm.Module, places []place) (all []at) {
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(a.code, b.code) })
	body := -1
	var known []origin
	w := walker{builder: b, body: -1}
	for _, p := range places {
		for body+1 < len(m.Bodies) && body+1 < len(compiled.Bodies) && int(p.code) >= compiled.Bodies[body+1].At {
			body++
			known = nil
			if int(p.code) < compiled.Bodies[body].At+len(compiled.Bodies[body].Code) {
				known = origins(m, compiled, body)
			}
		}
		position := uint32(0)
		if body >= 0 && int(p.code) < compiled.Bodies[body].At+len(compiled.Bodies[body].Code) {
			if original, ok := before(known, int(p.code)-compiled.Bodies[body].At); ok {
				position = w.position(m, body, uint32(m.Bodies[body].At+original))
			}
		}
		all = append(all, at{native: p.native, position: position})
	}
	slices.SortStableFunc(all, func(a, b at) int { return cmp.Compare(a.native, b.native) })
	return slices.CompactFunc(all, func(a, b at) bool { return a.position == b.position })
}

// walker goes through the author's code in order.
type walker struct {
	*builder
	body int       // of the last offset
	next int       // of builder.inlined
	open []inlined // that began before the last offset
}

// maxOpen is how many inlined calls are followed at a time: more than nest in any
// program.
const maxOpen = 64

// position is the number of an offset's position and 1, or 0.
func (w *walker) position(m *wasm.Module, body int, offset uint32) uint32 {
	from := uint32(0) // a row before the body is another function's
	if body > 0 {
		from = uint32(m.Bodies[body-1].At + len(m.Bodies[body-1].Code))
	}
	i := sort.Search(len(w.rows), func(i int) bool { return w.rows[i].at > offset })
	if i == 0 || w.rows[i-1].at < from || w.rows[i-1].line == 0 {
		return 0
	}
	if w.body != body {
		w.body, w.open = body, nil
		w.next = sort.Search(len(w.inlined), func(i int) bool { return w.inlined[i].from >= from })
	}
	caller := uint32(0)
	for _, in := range w.around(offset) {
		caller = w.number(position{in.file, in.line, caller}) + 1
	}
	return w.number(position{w.rows[i-1].file, w.rows[i-1].line, caller}) + 1
}

// around are the inlined calls around an offset of the body, the outermost first.
func (w *walker) around(offset uint32) []inlined {
	for ; w.next < len(w.inlined) && w.inlined[w.next].from <= offset; w.next++ {
		if len(w.open) < maxOpen {
			w.open = append(w.open, w.inlined[w.next])
		}
	}
	w.open = slices.DeleteFunc(w.open, func(in inlined) bool { return in.to <= offset })
	return w.open[:min(len(w.open), maxInlining)]
}

func (b *builder) number(p position) uint32 {
	id, ok := b.ids[p]
	if !ok {
		id = uint32(len(b.positions))
		b.positions = append(b.positions, p)
		b.ids[p] = id
	}
	return id
}

func (b *builder) encode(rows []at) []byte {
	u := func(to []byte, v uint32) []byte { return binary.AppendUvarint(to, uint64(v)) }
	out := u(nil, uint32(len(b.files)))
	for _, f := range b.files {
		out = append(u(out, uint32(len(f))), f...)
	}
	out = u(out, uint32(len(b.positions)))
	for _, p := range b.positions {
		out = u(u(u(out, p.file), p.line), p.caller)
	}
	last := uint32(0)
	for _, r := range rows {
		out = u(u(out, r.native-last), r.position)
		last = r.native
	}
	return out
}

var errTable = errors.New("the table of lines is damaged")

// Find answers for each offset in the machine code, which is where a call returns
// to or where a trap was raised, the line of its instruction: `main.c:42`, or
// `list.h:7, inlined at main.c:42`; "" if it is not known.
func Find(table []byte, offsets []uint32) ([]string, error) {
	r := &decoder{b: table}
	files := make([]string, r.count(1))
	for i := range files {
		files[i] = string(r.bytes(r.count(1)))
	}
	positions := make([]position, r.count(3))
	for i := range positions {
		positions[i] = position{file: r.u32(), line: r.u32(), caller: r.u32()}
		if p := positions[i]; int64(p.file) >= int64(len(files)) || int64(p.caller) > int64(i) {
			r.failed = true
		}
	}
	found := make([]uint32, len(offsets))
	for native, more := uint64(0), true; more && len(r.b) > 0 && !r.failed; {
		native += uint64(r.u32())
		p := r.u32()
		if int64(p) > int64(len(positions)) {
			r.failed = true
		}
		more = false
		for i, o := range offsets { // there are few
			if native < uint64(o) {
				found[i], more = p, true
			}
		}
	}
	if r.failed {
		return nil, errTable
	}
	shown := make([]string, len(offsets))
	for i, p := range found {
		shown[i] = show(files, positions, p)
	}
	return shown, nil
}

// show writes a position with the calls that were inlined around it.
func show(files []string, positions []position, number uint32) string {
	var parts []string
	for number > 0 && len(parts) <= maxInlining {
		p := positions[number-1]
		parts = append(parts, fmt.Sprintf("%s:%d", files[p.file], p.line))
		number = p.caller
	}
	return strings.Join(parts, ", inlined at ")
}

// decoder reads a table. After what is not there it returns zero.
type decoder struct {
	b      []byte
	failed bool
}

func (d *decoder) u32() uint32 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > 1<<32-1 {
		d.b, d.failed = nil, true
		return 0
	}
	d.b = d.b[n:]
	return uint32(v)
}

// count reads how many there are of something that takes at least size bytes.
func (d *decoder) count(size int) int {
	n := d.u32()
	if int64(n)*int64(size) > int64(len(d.b)) {
		d.b, d.failed = nil, true
		return 0
	}
	return int(n)
}

func (d *decoder) bytes(n int) []byte {
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}
