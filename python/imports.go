package python

import "strings"

// imported is a module that a file imports.
type imported struct {
	module string
	line   int
}

// imports finds the import statements of a source. It reads words outside of texts and comments, and so sees those
// in functions, too; a source with a syntax error is the engine's to refuse.
func imports(text string) (all []imported) {
	for _, s := range statements(text) {
		words := strings.Fields(s.text)
		switch {
		case len(words) >= 2 && words[0] == "import":
			for _, part := range strings.Split(strings.TrimPrefix(s.text, "import"), ",") {
				if names := strings.Fields(part); len(names) > 0 && isModule(names[0]) {
					all = append(all, imported{names[0], s.line})
				}
			}
		case len(words) >= 4 && words[0] == "from" && words[2] == "import" && isModule(words[1]):
			all = append(all, imported{words[1], s.line})
		}
	}
	return all
}

func isModule(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != '.' && r != '_' && r < 0x80 && (r < '0' || r > '9' && r < 'A' || r > 'Z' && r < 'a' || r > 'z')
	})
}

// statement is a simple statement, without the texts in it.
type statement struct {
	text string
	line int
}

// statements splits a source at the ends of lines, semicolons and colons that are in no bracket. Of texts and
// comments nothing is left.
func statements(text string) (all []statement) {
	var b strings.Builder
	line, began, depth := 1, 1, 0
	end := func() {
		if s := strings.TrimSpace(b.String()); s != "" {
			all = append(all, statement{s, began})
		}
		b.Reset()
		began = line
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '#':
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
		case c == '"' || c == '\'':
			n := skipText(text[i:])
			line += strings.Count(text[i:i+n], "\n")
			i += n - 1
			b.WriteByte(' ')
		case c == '\\' && i+1 < len(text) && text[i+1] == '\n':
			line++
			i++
			b.WriteByte(' ')
		case c == '\n' && depth == 0:
			end()
			line++
			began = line
		case c == '\n':
			line++
			b.WriteByte(' ')
		case c == ';' || c == ':' && depth == 0:
			end()
		default:
			if strings.IndexByte("([{", c) >= 0 {
				depth++
			} else if strings.IndexByte(")]}", c) >= 0 && depth > 0 {
				depth--
			}
			b.WriteByte(c)
		}
	}
	end()
	return all
}

// skipText returns how many bytes a text takes that begins with a quote.
func skipText(s string) int {
	quote := s[:1]
	if strings.HasPrefix(s, strings.Repeat(quote, 3)) {
		quote = s[:3]
	}
	for i := len(quote); i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '\n' && len(quote) == 1:
			return i
		case strings.HasPrefix(s[i:], quote):
			return i + len(quote)
		}
	}
	return len(s)
}
