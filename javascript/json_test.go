package javascript_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/script/scripttest"
)

const separator = "\x1e" // between texts, and in none of them

// TestNumbers: JSON.parse reads a number as the double that is nearest to it, as Number does, and what is written of a
// double is the shortest decimal that reads as it. The engine does both itself where that is exact, see quickjs.patch.
func TestNumbers(t *testing.T) {
	a := serve(t, `export default { async fetch(request) {
	return new Response((await request.text()).split("\x1e").map((text) => {
		const n = JSON.parse(text);
		return [n, JSON.stringify([n]).slice(1, -1), Object.is(n, Number(text)) && Object.is(JSON.parse(text, (_, v) => v), n)].join();
	}).join("\x1e"));
} }`)
	texts := []string{
		"0", "-0", "-0.0", "1", "-1", "9007199254740993", "9007199254740991", "2147483647", "2147483648", "-2147483648", "999999999", "1000000000", "-999999999",
		"0.1", "0.001", "0.0001", "0.00001", "0.000001", "0.0000001", "1e21", "1e-7", "123456789012345678", "5e-324", "1.7976931348623157e308", "1e400", "-1e400", "1e-400",
		"999999999.9999", "1000000000.5", "0.30000000000000004", "100.10", "4.35", "1.005", "1e2", "1E+2", "12.5e-1", "2.5E0", "0.5", "123456789.12345678", "999999999999999.9", "1234567890123456.7",
		"0." + strings.Repeat("0", 400) + "1", strings.Repeat("9", 400), "1e" + strings.Repeat("0", 400) + "1", "1e-" + strings.Repeat("9", 400),
	}
	for range 3000 {
		f := math.Float64frombits(rand.Uint64())
		if math.IsNaN(f) || math.IsInf(f, 0) {
			continue
		}
		money := float64(rand.Int64N(1e13)) / math.Pow10(rand.IntN(7))
		texts = append(texts, strconv.FormatFloat(f, 'g', -1, 64), strconv.FormatFloat(money, 'f', -1, 64), strconv.FormatFloat(-money, 'f', rand.IntN(20), 64),
			strconv.FormatFloat(money, 'e', rand.IntN(20), 64), strconv.FormatFloat(math.Nextafter(money, 0), 'f', -1, 64))
	}
	said := each(t, a, texts)
	for i, text := range texts {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			t.Fatal(err)
		}
		inJSON := written(f)
		if math.IsInf(f, 0) {
			inJSON = "null"
		}
		if want := fmt.Sprintf("%s,%s,true", written(f), inJSON); said[i] != want {
			t.Errorf("%.60s: %s, want %s", text, said[i], want)
		}
	}
}

// each asks an app about texts, a thousand at a time, and returns what it says of each.
func each(t *testing.T, a *scripttest.App, texts []string) (said []string) {
	t.Helper()
	for part := range slices.Chunk(texts, 1000) {
		body := a.Do(abi.Request{Method: "POST", Path: "/", Body: []byte(strings.Join(part, separator))}).Body
		said = append(said, strings.Split(string(body), separator)...)
	}
	if len(said) != len(texts) {
		t.Fatalf("it said something of %d, and was asked about %d", len(said), len(texts))
	}
	return said
}

// written is how JavaScript writes a number.
func written(f float64) string {
	switch abs := math.Abs(f); {
	case f == 0:
		return "0"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case abs >= 1e-6 && abs < 1e21:
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	digits, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	return digits + "e" + exponent[:1] + strings.TrimLeft(exponent[1:], "0")
}

// TestJSON: JSON.parse takes what is JSON and nothing else, of documents and of what is left of them when something is
// changed, and gives the values that Go's parser gives, with what is written of them.
func TestJSON(t *testing.T) {
	a := serve(t, `export default { async fetch(request) {
	return new Response((await request.text()).split("\x1e").map((text) => {
		let v;
		try { v = JSON.parse(text) } catch (e) { if (!(e instanceof SyntaxError)) throw e; return "" }
		const all = JSON.stringify(v, (_, x) => x === undefined ? "a property that was not in the text" : x), s = JSON.stringify(v);
		return s === all && s === JSON.stringify(JSON.parse(text, (_, x) => x)) ? s : all;
	}).join("\x1e"));
} }`)
	texts := []string{
		`{"a":1,}`, `{"a" 1}`, `{"a":}`, `{"a":1 "b":2}`, `[1,]`, `[,1]`, `01`, `1.`, `-`, `1e`, `1e+`, `+1`, `.5`, `1.e3`, `{"a":1`, `{"a"`, `{"`, `"abc`, `"a\`, `"\u12`, `{a:1}`, `{"a"::1}`, `{,}`,
		`{"a":1}}`, `{} {}`, ``, ` `, `nul`, `True`, `"` + "\x01" + `"`, `"` + "\n" + `"`, `{"a":1,"a":2}`, `{"__proto__":{"x":1},"constructor":2}`, `{"b":1,"2":2,"1":3,"a":4}`, `{"":1,"":2}`, `{ "a" : 1 , "b" : [ ] }`,
		"{\t\"a\"\n:\r1\r\n}", `{"toString":"x","length":1}`, `["\u0041\ud83d\ude00\"\\\/\b\f\n\r\t"]`, `{"\u0061":1,"a":2}`, `{"é":"ü","日":"本"}`, `{"a":{"a":{"a":[[[]]]}}}`,
	}
	const alphabet = "{}[]\",:0123456789.eE+- \n\\tfnul\x01é"
	for range 2500 {
		doc := []byte(document(4))
		texts = append(texts, string(doc))
		for range 1 + rand.IntN(2) { // a character goes, comes or changes
			at := rand.IntN(len(doc) + 1)
			end := min(at+rand.IntN(2), len(doc))
			doc = append(append(append([]byte{}, doc[:at]...), alphabet[rand.IntN(len(alphabet)-2)]), doc[end:]...)
		}
		if s := string(doc); strings.ToValidUTF8(s, "") == s {
			texts = append(texts, s)
		}
	}
	said := each(t, a, texts)
	valid := 0
	for i, text := range texts {
		var want, got any
		err := json.Unmarshal([]byte(text), &want)
		if _, large := errors.AsType[*json.UnmarshalTypeError](err); large {
			continue // a number that Go has no double for
		}
		if (err == nil) != (said[i] != "") {
			t.Errorf("%q: %q, and Go says %v", text, said[i], err)
			continue
		}
		if err != nil {
			continue
		}
		valid++
		if err := json.Unmarshal([]byte(said[i]), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, %v", text, said[i], err)
		}
	}
	if valid < len(texts)/3 || valid > len(texts)*5/6 {
		t.Errorf("%d of %d are JSON: it proves little", valid, len(texts))
	}
}

// document is some JSON.
func document(depth int) string {
	space := []string{"", "", "", " ", "\n", "\t "}[rand.IntN(6)]
	kind := rand.IntN(9)
	if kind == 8 && depth > 0 {
		return rows(depth)
	}
	if depth == 0 {
		kind = 2 + rand.IntN(6)
	}
	switch kind {
	case 0, 1:
		var parts []string
		for range rand.IntN(5) {
			part := document(depth - 1)
			if kind == 0 {
				part = text() + space + ":" + space + part
			}
			parts = append(parts, part)
		}
		list := strings.Join(parts, space+","+space)
		if kind == 0 {
			return "{" + space + list + space + "}"
		}
		return "[" + list + "]"
	case 2:
		return []string{"true", "false", "null"}[rand.IntN(3)]
	case 3, 4:
		return text()
	case 5:
		return strconv.Itoa(rand.IntN(2e9) - 1e9)
	case 6:
		return strconv.FormatFloat(float64(rand.IntN(1e6))/100, 'f', -1, 64)
	}
	return strconv.FormatFloat(rand.NormFloat64(), 'e', rand.IntN(18), 64)
}

// rows is a list of objects that are much alike: keys are missing at the end, or in another order, or there twice.
func rows(depth int) string {
	var list []string
	for range rand.IntN(6) {
		keys := []string{`"id"`, `"name"`, `"price"`, `"tags"`, `"of"`}[:rand.IntN(6)]
		var parts []string
		for i := range keys {
			if rand.IntN(8) == 0 {
				i = rand.IntN(len(keys))
			}
			parts = append(parts, keys[i]+":"+document(min(depth-1, 1)))
		}
		list = append(list, "{"+strings.Join(parts, ",")+"}")
	}
	return "[" + strings.Join(list, ",") + "]"
}

// text is a string of JSON; keys are often the same.
func text() string {
	if rand.IntN(2) == 0 {
		return []string{`"id"`, `"name"`, `"price"`, `"tags"`, `"0"`, `"12"`, `""`, `"__proto__"`, `"length"`}[rand.IntN(9)]
	}
	var b strings.Builder
	for range rand.IntN(12) {
		b.WriteString([]string{"a", "Z", "0", " ", `\"`, `\\`, `\n`, `\u00e9`, "é", "日", "😀", `\ud83d\ude00`, "'", "\x7f"}[rand.IntN(14)])
	}
	return `"` + b.String() + `"`
}
