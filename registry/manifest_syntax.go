package registry

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// notAManifest recognises files that are no TOML at all: what it is and what to do, or "".
func notAManifest(text []byte) (what, remedy string) {
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	switch {
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		return "the manifest is UTF-16", "Save the file as UTF-8."
	case bytes.HasPrefix(text, []byte("\x00asm")):
		return "this is a WebAssembly module, not a manifest", "Name the manifest (agora.toml) first, and the module after it."
	case bytes.HasPrefix(trimmed, []byte("{")):
		return "line 1: this looks like JSON", `Write TOML: key = "value", and tables as [limits].`
	case bytes.HasPrefix(trimmed, []byte("<")):
		return "this is a web page or XML, not a manifest", `Write TOML: key = "value", and tables as [limits].`
	case bytes.HasPrefix(trimmed, []byte("---")):
		return "line 1: this looks like YAML", `Write TOML: key = "value", and tables as [limits].`
	}
	if at := firstNotUTF8(text); at >= 0 {
		return fmt.Sprintf("line %d is not UTF-8", 1+bytes.Count(text[:at], []byte("\n"))), "Save the file as UTF-8."
	}
	return "", ""
}

// firstNotUTF8 returns where text stops being UTF-8, or -1.
func firstNotUTF8(text []byte) int {
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}

// slips are what people write in place of TOML, by the look of the line.
var slips = []struct {
	line   *regexp.Regexp
	remedy string
}{
	{regexp.MustCompile(`[“”„«»‘’]`), `Use plain quotes, as in name = "value": an editor has made typographic ones of them.`},
	{regexp.MustCompile(`^\s*[\w.-]+\s*:`), `Write key = "value": TOML has an equals sign where YAML and JSON have a colon.`},
	{regexp.MustCompile(`^\s*[\w.-]+\s*=\s*(#.*)?$`), `Write a value behind the equals sign, or remove the line.`},
	{regexp.MustCompile(`^\s*[\w.-]+\s*=\s*"[^"]*$|^\s*[\w.-]+\s*=\s*'[^']*$`), `Close the quotes at the end of the value.`},
	{regexp.MustCompile(`^\s*[\w.-]+\s*=\s*[0-9]+(\.[0-9]+)?\s*[A-Za-z]+`), `Put a size or a duration in quotes: memory = "32MiB", timeout = "5s".`},
	{regexp.MustCompile(`^\s*[\w.-]+\s*=\s*[^\s"'\[{0-9+-]`), `Put the text in double quotes: key = "value".`},
	{regexp.MustCompile(`^\s*\[[^\]]*$`), `Close the table's name with a bracket, as in [limits].`},
	{regexp.MustCompile(`^\s*[\w.-]+\s+[^=\s]`), `Write an equals sign between the key and its value.`},
	{regexp.MustCompile(`^\s*[\w.-]+\s*$`), `Write a value: key = "value"; or put the name of a table in brackets: [limits].`},
	{regexp.MustCompile(`^\s*(//|/\*|;)`), `Begin a comment with #.`},
}

// syntaxRemedy says how the line at fault is mended.
func syntaxRemedy(line string) string {
	for _, s := range slips {
		if s.line.MatchString(line) {
			return s.remedy
		}
	}
	return `Write TOML: key = "value", and tables as [limits].`
}

var codePoint = regexp.MustCompile(`U\+([0-9A-Fa-f]{4,6})(\s*'[^']*')?`)

// readable writes the characters in a message of the TOML library as they look.
func readable(message string) string {
	return codePoint.ReplaceAllStringFunc(message, func(s string) string {
		n, err := strconv.ParseUint(codePoint.FindStringSubmatch(s)[1], 16, 32)
		if err != nil {
			return s
		}
		return strconv.Quote(string(rune(n)))
	})
}

// lineOf returns a line of a text, counted from 1, clipped.
func lineOf(text []byte, row int) string {
	lines := strings.Split(string(text), "\n")
	if row < 1 || row > len(lines) {
		return ""
	}
	return clip(strings.TrimRight(lines[row-1], "\r"), 120)
}
