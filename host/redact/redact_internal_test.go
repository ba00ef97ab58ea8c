package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
)

// spellings are ways in which programs print a value; r chooses where there is a choice.
var spellings = map[string]func(r *rand.Rand, value string) string{
	"as it is":   func(_ *rand.Rand, v string) string { return v },
	"base64":     func(_ *rand.Rand, v string) string { return base64.StdEncoding.EncodeToString([]byte(v)) },
	"base64 url": func(_ *rand.Rand, v string) string { return base64.RawURLEncoding.EncodeToString([]byte(v)) },
	"base64 within": func(r *rand.Rand, v string) string {
		return base64.StdEncoding.EncodeToString([]byte("user:"[r.IntN(4):] + v + "x"))
	},
	"base64 of UTF-16": func(_ *rand.Rand, v string) string { return base64.StdEncoding.EncodeToString([]byte(inUTF16(v))) },
	"base64 in lines":  func(_ *rand.Rand, v string) string { return wrap(base64.StdEncoding.EncodeToString([]byte(v))) },
	"base64 in a query": func(_ *rand.Rand, v string) string {
		return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(v)))
	},
	"hex":             func(_ *rand.Rand, v string) string { return hex.EncodeToString([]byte(v)) },
	"HEX":             func(_ *rand.Rand, v string) string { return strings.ToUpper(hex.EncodeToString([]byte(v))) },
	"hex after a":     func(_ *rand.Rand, v string) string { return "a" + hex.EncodeToString([]byte(v)) },
	"hex with spaces": func(_ *rand.Rand, v string) string { return fmt.Sprintf("% x", v) },
	"hex with colons": func(_ *rand.Rand, v string) string { return strings.ReplaceAll(fmt.Sprintf("% X", v), " ", ":") },
	"hex of Go":       func(_ *rand.Rand, v string) string { return fmt.Sprintf("%#v", []byte(v)) },
	"bytes of Go":     func(_ *rand.Rand, v string) string { return fmt.Sprint([]byte(v)) },
	"bytes of JSON":   func(_ *rand.Rand, v string) string { return strings.ReplaceAll(fmt.Sprint([]byte(v)), " ", ",") },
	"path escaped":    func(_ *rand.Rand, v string) string { return url.PathEscape(v) },
	"query escaped":   func(_ *rand.Rand, v string) string { return url.QueryEscape(v) },
	"percent, mixed":  func(r *rand.Rand, v string) string { return mix(r, v, "%%%02x", "%%%02X") },
	"percent twice":   func(r *rand.Rand, v string) string { return url.QueryEscape(mix(r, v, "%%%02x", "%%%02X")) },
	"quoted-printable": func(r *rand.Rand, v string) string {
		return mix(r, v, "=%02X")
	},
	"HTML":        func(_ *rand.Rand, v string) string { return html.EscapeString(v) },
	"HTML, mixed": func(r *rand.Rand, v string) string { return mixRunes(r, v, "&#%d;", "&#x%x;", "&#X%X;", "&#%03d;") },
	"JSON":        func(_ *rand.Rand, v string) string { b, _ := json.Marshal(v); return string(b) },
	"JSON, mixed": func(r *rand.Rand, v string) string {
		return strings.ReplaceAll(mixRunes(r, v, `\u%04x`, `\u%04X`), "/", `\/`)
	},
	"JSON in JSON": func(_ *rand.Rand, v string) string {
		b, _ := json.Marshal(v)
		b, _ = json.Marshal(string(b))
		return string(b)
	},
	"Go":          func(_ *rand.Rand, v string) string { return strconv.Quote(v) },
	"Go, ASCII":   func(_ *rand.Rand, v string) string { return strconv.QuoteToASCII(v) },
	"C":           func(r *rand.Rand, v string) string { return mix(r, v, `\x%02x`, `\%03o`) },
	"braces":      func(r *rand.Rand, v string) string { return mixRunes(r, v, `\u{%x}`) },
	"shell":       func(_ *rand.Rand, v string) string { return `'` + strings.ReplaceAll(v, `'`, `'\''`) + `'` },
	"shell, %q":   shellQuoted,
	"SQL":         func(_ *rand.Rand, v string) string { return `'` + strings.ReplaceAll(v, `'`, `''`) + `'` },
	"CSV":         func(_ *rand.Rand, v string) string { return `"` + strings.ReplaceAll(v, `"`, `""`) + `"` },
	"UTF-16":      func(_ *rand.Rand, v string) string { return inUTF16(v) },
	"hex, UTF-16": func(_ *rand.Rand, v string) string { return hex.EncodeToString([]byte(inUTF16(v))) },
	"JSON in a query": func(_ *rand.Rand, v string) string {
		b, _ := json.Marshal(v)
		return url.QueryEscape(string(b))
	},
}

func wrap(s string) string {
	var lines []string
	for len(s) > 20 {
		lines, s = append(lines, s[:20]), s[20:]
	}
	return strings.Join(append(lines, s), "\r\n ")
}

// mix writes some bytes of a value in one of these forms, and all that could be misread.
func mix(r *rand.Rand, value string, forms ...string) string {
	var b strings.Builder
	for _, c := range []byte(value) {
		if strings.IndexByte(`%=&\+`, c) >= 0 || c >= 0x80 || r.IntN(2) == 0 {
			fmt.Fprintf(&b, forms[r.IntN(len(forms))], c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func mixRunes(r *rand.Rand, value string, forms ...string) string {
	var b strings.Builder
	for _, c := range value {
		form := forms[r.IntN(len(forms))]
		switch {
		case c != '\\' && c != '&' && c < 0x80 && r.IntN(2) == 0:
			b.WriteRune(c)
		case c > 0xffff && strings.HasSuffix(form, "04x") || c > 0xffff && strings.HasSuffix(form, "04X"):
			high, low := utf16.EncodeRune(c)
			fmt.Fprintf(&b, form+form, high, low)
		default:
			fmt.Fprintf(&b, form, c)
		}
	}
	return b.String()
}

func shellQuoted(_ *rand.Rand, value string) string {
	var b strings.Builder
	for _, c := range value {
		if strings.ContainsRune(` '"\$&;|<>()*?[]{}~#!`+"`", c) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}

func learned(values ...string) *Redactor {
	r := &Redactor{}
	for i, v := range values {
		r.Add("s"+strconv.Itoa(i), []byte(v))
	}
	return r
}

// TestEverySpelling: whatever a program prints a secret in, it is gone, and what stands around it
// is not.
func TestEverySpelling(t *testing.T) {
	const letters = `abcXYZ0189 /+&<>"'\%=-_.~:;!?äß€😀` + "\t"
	runes := []rune(letters)
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		value := make([]rune, 12+r.IntN(30))
		for i := range value {
			value[i] = runes[r.IntN(len(runes))]
		}
		value[0], value[len(value)-1] = 'K', 'Z' // no app keeps spaces at the ends of what it prints
		secret := string(value)
		Redactor := learned("another secret", secret)
		for name, spell := range spellings {
			spelled := spell(r, secret)
			clean, names := Redactor.Redact("before [" + spelled + "] after")
			if len(names) != 1 || names[0] != "s1" {
				t.Errorf("%s: %q stays: %q %v", name, secret, clean, names)
				continue
			}
			if !strings.HasPrefix(clean, "before [") || !strings.HasSuffix(clean, "] after") || len(clean) > len("before [[secret s1]] after")+12 {
				t.Errorf("%s: %q is left of %q", name, clean, spelled)
			}
		}
	}
}

func TestRedaction(t *testing.T) {
	long := strings.Repeat("x", cutAt-11)
	for _, c := range []struct{ name, message, want string }{
		{"nothing", "a line", "a line"},
		{"two", "p@ss word and key/value+1", "[secret s0] and [secret s1]"},
		{"one twice", "p@ss word p@ss word", "[secret s0] [secret s0]"},
		{"percent with spaces", "p%40ss%20word, p%40ss+word", "[secret s0], [secret s0]"},
		{"lower case", "key%2fvalue%2b1", "[secret s1]"},
		{"entities", "p&#64;ss&nbsp;word p&commat;ss word", "p&#64;ss&nbsp;word [secret s0]"},
		{"without its end, where the line was cut", long + " key/value+", long + " [secret s1]"},
		{"without its end, elsewhere", "key/value+", "key/value+"},
		{"overlapping", "key/value+1234", "[secret s1]"},
		{"a number", "12 apples", "12 apples"},
	} {
		r := learned("p@ss word", "key/value+1", "value+1234")
		if got, _ := r.Redact(c.message); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestRedactionIsBounded: a message that repeats what secrets begin with costs no more than reading it.
func TestRedactionIsBounded(t *testing.T) {
	r := &Redactor{}
	for i := range maxRedacted {
		r.Add(strconv.Itoa(i), []byte(strings.Repeat("a", 4000+i)))
	}
	for _, message := range []string{strings.Repeat("a", cutAt), strings.Repeat("%61", cutAt/3), strings.Repeat(`\x61&#61;'"'"'`, cutAt/16)} {
		if clean, _ := r.Redact(message); strings.Contains(clean, "aaaaaaaa") {
			t.Errorf("%.60q stays", clean)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("s3cr3t/+&", "x=%73%33cr3t&#47;\\u002b&amp;")
	f.Add("aaaa", "aaaaaaaa\\")
	f.Add("key\x00", "\\u{}\\x{}\\U&#;&%=\r\n")
	f.Fuzz(func(t *testing.T, secret, message string) {
		r := learned(secret)
		clean, names := r.Redact(message)
		if len(names) == 0 && clean != message {
			t.Fatalf("%q became %q", message, clean)
		}
		if len(secret) >= shortSecret && strings.Contains(strings.ReplaceAll(clean, "[secret s0]", "\x01"), secret) && !strings.Contains(secret, "\x01") {
			t.Fatalf("%q is in %q", secret, clean)
		}
		for _, escaped := range []string{url.QueryEscape(secret), html.EscapeString(secret), strconv.Quote(secret)} {
			if _, names := r.Redact(escaped); len(secret) >= shortSecret && len(names) == 0 {
				t.Fatalf("%q as %q is not seen", secret, escaped)
			}
		}
	})
}
