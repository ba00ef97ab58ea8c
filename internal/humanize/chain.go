package humanize

import "strings"

// Chain is an error's text without what it says twice. Each layer of a program says what it was
// doing, and several may wrap the same cause: "the module is not valid: the module is not valid:
// section 3 …". What is said already, such as the title above the text, is left out, too; "" if
// nothing else is left. What stands in quotes is data, and stays as it is.
func Chain(text string, said ...string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = chain(line, said)
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

func chain(line string, said []string) string {
	heard := map[string]bool{}
	for _, s := range said {
		heard[plain(s)] = true
	}
	var kept []string
	for _, part := range parts(line) {
		word := plain(part)
		if heard[word] && strings.Contains(word, " ") {
			continue
		}
		heard[word] = true
		kept = append(kept, part)
	}
	return strings.Join(kept, ": ")
}

// parts are what stands between the colons of a chain that are outside of quotes.
func parts(line string) []string {
	var all []string
	quoted, start := false, 0
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && quoted:
			i++
		case line[i] == '"':
			quoted = !quoted
		case !quoted && strings.HasPrefix(line[i:], ": "):
			all = append(all, line[start:i])
			start = i + 2
		}
	}
	if quoted {
		return []string{line} // a quote that does not end: it is not known what is data
	}
	return append(all, line[start:])
}

func plain(s string) string { return strings.ToLower(strings.TrimRight(strings.TrimSpace(s), ".")) }
