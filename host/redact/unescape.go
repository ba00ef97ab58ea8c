package redact

import (
	"bytes"
	"html"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// view is a message as it reads in some encoding.
type view struct {
	text []byte
	at   []int // where in the message each byte of text comes from, and where it ends; nil: as it is
}

func (v view) origin(i int) int {
	if v.at == nil {
		return i
	}
	return v.at[i]
}

// views looks at a message as it is, as it reads in each encoding, and in one within another.
func views(message string, look func(view)) {
	all := []view{{text: []byte(message)}}
	look(all[0])
	for layer, first := 0, 0; layer < 2; layer++ {
		last := len(all)
		for ; first < last; first++ {
			for _, e := range encodings {
				if len(all) == maxViews {
					return
				}
				if v, ok := e.read(all[first]); ok {
					all = append(all, v)
					look(v)
				}
			}
		}
	}
}

// token reads what begins at i: how many bytes of text it takes, and what they stand for; 0 if
// nothing of its encoding begins there.
type token func(text []byte, i int) (n int, means []byte)

// encoding is one way to write bytes.
type encoding struct {
	marks  string       // one of them is in every text that has the encoding; "" for none
	reader func() token // for one text, from its beginning on
	least  int          // how often it must occur: what looks like it may be words
}

func each(t token) func() token { return func() token { return t } }

// encodings are tried in this order.
var encodings = []encoding{
	{"%", each(percent('%')), 1},
	{"%+", each(orPlus), 1},
	{"\\", each(backslash), 1},
	{"&", each(entity), 1},
	{"", hexDigits(0), shortSecret},
	{"", hexDigits(1), shortSecret},
	{"'", each(quoted(`'\''`, `'"'"'`, `''`)), 1},
	{`"`, each(quoted(`""`)), 1},
	{"=", each(percent('=')), 1}, // quoted-printable
	{"0123456789", each(listed), shortSecret},
	{"\x00", each(zero), 1},
	{"\r\n", each(lineBreak), 1},
}

// read is a view in an encoding; false if nothing of it is there.
func (e encoding) read(v view) (view, bool) {
	if e.marks != "" && !bytes.ContainsAny(v.text, e.marks) {
		return v, false
	}
	out := view{text: make([]byte, 0, len(v.text)), at: make([]int, 0, len(v.text)+1)}
	found, token := 0, e.reader()
	for i := 0; i < len(v.text); {
		n, means := token(v.text, i)
		if n == 0 {
			n, means = 1, v.text[i:i+1]
		} else {
			found++
		}
		for range means {
			out.at = append(out.at, v.origin(i))
		}
		out.text = append(out.text, means...)
		i += n
	}
	out.at = append(out.at, v.origin(len(v.text)))
	return out, found >= e.least
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// number reads up to most digits of a base.
func number(text []byte, base, most int) (n int, value uint64) {
	for n < len(text) && n < most && isHex(text[n]) {
		if base < 16 && (text[n] < '0' || int(text[n]-'0') >= base) {
			break
		}
		n++
	}
	value, err := strconv.ParseUint(string(text[:n]), base, 32)
	if err != nil {
		return 0, 0
	}
	return n, value
}

func percent(mark byte) token {
	return func(text []byte, i int) (int, []byte) {
		if text[i] != mark {
			return 0, nil
		}
		if n, value := number(text[i+1:], 16, 2); n == 2 {
			return 3, []byte{byte(value)}
		}
		return 0, nil
	}
}

// orPlus is percent-encoding as forms have it.
func orPlus(text []byte, i int) (int, []byte) {
	if text[i] == '+' {
		return 1, []byte{' '}
	}
	return percent('%')(text, i)
}

var escapes = map[byte]byte{'a': 7, 'b': 8, 't': '\t', 'n': '\n', 'v': 11, 'f': 12, 'r': '\r', 'e': 27}

// backslash reads the escapes of JSON, JavaScript, C, Go, Rust, Python and shells, in which a
// character that has no meaning stands for itself.
func backslash(text []byte, i int) (int, []byte) {
	if text[i] != '\\' || i+1 == len(text) {
		return 0, nil
	}
	rest := text[i+2:]
	switch c := text[i+1]; c {
	case 'x', 'u', 'U':
		most := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
		n, value, skip := 0, uint64(0), 0
		if len(rest) > 0 && rest[0] == '{' {
			if n, value = number(rest[1:], 16, 6); n > 0 && len(rest) > n+1 && rest[n+1] == '}' {
				skip = 2
			} else {
				n = 0
			}
		} else {
			n, value = number(rest, 16, most)
		}
		switch {
		case n == 0:
			return 2, []byte{c}
		case c == 'x' && skip == 0:
			return 2 + n, []byte{byte(value)}
		case c == 'u' && utf16.IsSurrogate(rune(value)) && n == 4 && len(rest) >= 10 && rest[4] == '\\' && rest[5] == 'u':
			_, low := number(rest[6:], 16, 4)
			return 12, utf8.AppendRune(nil, utf16.DecodeRune(rune(value), rune(low)))
		}
		return 2 + n + skip, utf8.AppendRune(nil, rune(min(value, utf8.MaxRune+1)))
	case '0', '1', '2', '3', '4', '5', '6', '7':
		n, value := number(text[i+1:], 8, 3)
		return 1 + n, []byte{byte(value)}
	case '\n':
		return 2, nil
	default:
		if meant, ok := escapes[c]; ok {
			c = meant
		}
		return 2, []byte{c}
	}
}

// entity reads a character reference of HTML or XML.
func entity(text []byte, i int) (int, []byte) {
	if text[i] != '&' {
		return 0, nil
	}
	n := 1
	for n < 40 && i+n < len(text) && (isHex(text[i+n]) || text[i+n] >= 'A' && text[i+n] <= 'z' || text[i+n] == '#') {
		n++
	}
	if i+n < len(text) && text[i+n] == ';' {
		n++
	}
	if means := html.UnescapeString(string(text[i : i+n])); means != string(text[i:i+n]) {
		return n, []byte(means)
	}
	return 0, nil
}

// hexDigits reads pairs of digits, perhaps with something between them. skip is how many digits of
// a run belong to what stands before.
func hexDigits(skip int) func() token {
	return func() token {
		left, next := 0, -1 // of the run that is being read
		return func(text []byte, i int) (int, []byte) {
			if i != next && (i == 0 || !isHex(text[i-1])) {
				left = skip
			}
			if left > 0 || !isPair(text, i) {
				left = max(0, left-1)
				return 0, nil
			}
			_, value := number(text[i:], 16, 2)
			n := 2
			for _, between := range betweenPairs {
				if strings.HasPrefix(string(text[i+n:min(len(text), i+n+4)]), between) && isPair(text, i+n+len(between)) {
					n += len(between)
					break
				}
			}
			next = i + n
			return n, []byte{byte(value)}
		}
	}
}

var betweenPairs = []string{"\\x", ", ", ": ", ":", " ", "-", "_", ","}

func isPair(text []byte, i int) bool { return i+1 < len(text) && isHex(text[i]) && isHex(text[i+1]) }

// zero reads the bytes that UTF-16 puts between letters as nothing.
func zero(text []byte, i int) (int, []byte) {
	if text[i] == 0 {
		return 1, nil
	}
	return 0, nil
}

// listed reads bytes that are written as numbers: [115 51], 115,51, 0x73, 0x3.
func listed(text []byte, i int) (int, []byte) {
	word := func(i int) bool { return i >= 0 && i < len(text) && (isHex(text[i]) || text[i] == 'x') }
	digit := func(i int) bool { return i < len(text) && text[i] >= '0' && text[i] <= '9' }
	if !digit(i) || word(i-1) {
		return 0, nil
	}
	n, value := number(text[i:], 10, 3)
	if bytes.HasPrefix(text[i:], []byte("0x")) {
		n, value = number(text[i+2:], 16, 2)
		n += 2
	}
	if value > 255 || n == 2 && text[i+1] == 'x' || word(i+n) {
		return 0, nil
	}
	between := 0
	for i+n+between < len(text) && (text[i+n+between] == ' ' || text[i+n+between] == ',') {
		between++
	}
	if between > 0 && digit(i+n+between) {
		n += between
	}
	return n, []byte{byte(value)}
}

// quoted reads a quote as shells, SQL and CSV write it within quotes.
func quoted(ways ...string) token {
	return func(text []byte, i int) (int, []byte) {
		for _, way := range ways {
			if text[i] == way[0] && bytes.HasPrefix(text[i:], []byte(way)) {
				return len(way), []byte{way[0]}
			}
		}
		return 0, nil
	}
}

// lineBreak reads what wraps a text, and indents its next line, as nothing.
func lineBreak(text []byte, i int) (int, []byte) {
	if text[i] != '\n' && text[i] != '\r' {
		return 0, nil
	}
	n := 1
	for i+n < len(text) && bytes.IndexByte([]byte("\r\n\t "), text[i+n]) >= 0 {
		n++
	}
	return n, nil
}
