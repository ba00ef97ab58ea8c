package javascript

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"
)

// A source map (ECMA-426), as esbuild writes it.
type sourceMap struct {
	Sources  []string  `json:"sources"`
	Contents []*string `json:"sourcesContent"`
	Mappings string    `json:"mappings"`
}

// mapping says that what follows a place of the script comes from a place of a source. Lines and columns
// count from 0, as in the map.
type mapping struct {
	line, column                     int
	source, sourceLine, sourceColumn int
}

var errMap = errors.New("the bundler's source map is malformed")

func readMap(b []byte) (m sourceMap, mappings []mapping, err error) {
	if err := json.Unmarshal(b, &m); err != nil {
		return m, nil, err
	}
	for i, s := range m.Sources {
		m.Sources[i] = sourceName(s)
	}
	mappings, err = decodeMappings(m.Mappings, len(m.Sources))
	return m, mappings, err
}

// sourceName is a source's name for people: without the folders above the app, which are of the maker's machine.
func sourceName(s string) string {
	s = path.Clean(strings.ReplaceAll(s, "\\", "/"))
	up := s
	for strings.HasPrefix(up, "../") {
		up = up[3:]
	}
	if up == s && !path.IsAbs(s) {
		return s
	}
	if i := strings.LastIndex(up, "node_modules/"); i >= 0 {
		return up[i:]
	}
	return path.Base(up)
}

// decodeMappings reads the map's mappings: lines that end with ";", in them segments that end with ",", in
// them numbers as differences to the segment before.
func decodeMappings(s string, sources int) ([]mapping, error) {
	var all []mapping
	var at mapping
	for line := range strings.SplitSeq(s, ";") {
		at.column = 0
		for part := range strings.SplitSeq(line, ",") {
			var n [5]int
			count, err := decodeVLQ(part, &n)
			if err != nil {
				return nil, err
			}
			at.column += n[0]
			if count < 4 {
				continue // the bundler's own
			}
			at.source += n[1]
			at.sourceLine += n[2]
			at.sourceColumn += n[3]
			if at.source < 0 || at.source >= sources || at.sourceLine < 0 || at.sourceColumn < 0 || at.column < 0 {
				return nil, errMap
			}
			all = append(all, at)
		}
		at.line++
	}
	return all, nil
}

const base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// decodeVLQ reads up to five numbers in base 64, five bits in each digit, the sign in the lowest bit.
func decodeVLQ(s string, n *[5]int) (count int, err error) {
	v, shift := 0, 0
	for i := range len(s) {
		d := strings.IndexByte(base64Digits, s[i])
		if d < 0 || shift > 30 || count == len(n) {
			return 0, errMap
		}
		v |= d & 31 << shift
		if shift += 5; d&32 != 0 {
			continue
		}
		n[count] = v >> 1
		if v&1 != 0 {
			n[count] = -n[count]
		}
		count++
		v, shift = 0, 0
	}
	if shift != 0 {
		return 0, errMap
	}
	return count, nil
}

// blockSize is how many entries are read to find one, see engine/lines.c.
const blockSize = 64

// lineTable writes the table that the engine reads, see engine/lines.c. Of packages, whose lines help little,
// only the first place of each line is kept.
func lineTable(m sourceMap, all []mapping) []byte {
	all = essential(m, all)
	blocks := (len(all) + blockSize - 1) / blockSize
	size := 8 + 8*len(m.Sources)
	table := make([]byte, size+24*blocks)
	binary.LittleEndian.PutUint32(table, uint32(len(m.Sources)))
	binary.LittleEndian.PutUint32(table[4:], uint32(blocks))
	for i, s := range m.Sources {
		binary.LittleEndian.PutUint32(table[8+8*i:], uint32(len(table)))
		binary.LittleEndian.PutUint32(table[12+8*i:], uint32(len(s)))
		table = append(table, s...)
	}
	for i := range blocks {
		block := all[i*blockSize : min(len(all), (i+1)*blockSize)]
		first, index := block[0], table[size+24*i:]
		for k, v := range []int{first.line + 1, first.column + 1, first.source, first.sourceLine + 1, first.sourceColumn + 1, len(table)} {
			binary.LittleEndian.PutUint32(index[4*k:], uint32(v))
		}
		table = appendBlock(table, block)
	}
	return table
}

func appendBlock(table []byte, block []mapping) []byte {
	for i, e := range block[1:] {
		before := block[i]
		column := e.column - before.column
		if e.line != before.line {
			column = e.column + 1
		}
		for _, v := range []int{e.line - before.line, column, e.source - before.source, e.sourceLine - before.sourceLine, e.sourceColumn - before.sourceColumn} {
			table = binary.AppendVarint(table, int64(v))
		}
	}
	return table
}

// essential leaves out what says nothing new.
func essential(m sourceMap, all []mapping) []mapping {
	slices.SortStableFunc(all, func(a, b mapping) int { return cmp.Or(a.line-b.line, a.column-b.column) })
	kept := all[:0:0]
	for _, e := range all {
		if n := len(kept); n > 0 && kept[n-1].line == e.line {
			b := kept[n-1]
			same := b.source == e.source && b.sourceLine == e.sourceLine
			if same && (inPackage(m.Sources[e.source]) || b.sourceColumn == e.sourceColumn) {
				continue
			}
			if b.column == e.column {
				kept = kept[:n-1]
			}
		}
		kept = append(kept, e)
	}
	return kept
}

func inPackage(source string) bool {
	return strings.HasPrefix(source, "node_modules/") || strings.Contains(source, "/node_modules/")
}

// find is the place of the source that a place of the script comes from.
func find(all []mapping, line, column int) (mapping, bool) {
	i, found := slices.BinarySearchFunc(all, mapping{line: line, column: column}, func(e, at mapping) int {
		return cmp.Or(e.line-at.line, e.column-at.column)
	})
	if !found {
		i--
	}
	if i < 0 || all[i].line != line {
		return mapping{}, false
	}
	return all[i], true
}
