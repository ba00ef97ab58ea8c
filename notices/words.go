package notices

import (
	"net/url"
	"strings"
	"unicode"

	"github.com/agora-host/agora/abi"
)

// maxValue is how much of a text that people wrote stands in a sentence.
const maxValue = 300

// Say is the sentence of a notice, without a full stop.
func (n Notice) Say() string { return RowOf(n.Event.Kind, n.To).Say(n.Event) }

// Todo says what the person can do about it.
func (n Notice) Todo() string { return RowOf(n.Event.Kind, n.To).Todo(n.Event) }

// Link is the page of the console where that is done, from the root.
func (n Notice) Link() string { return RowOf(n.Event.Kind, n.To).Link(n.Event) }

// Say is the sentence of an event.
func (r Row) Say(e abi.Event) string { return fill(r.Says, e, plain) }

// Todo says what is to be done about it.
func (r Row) Todo(e abi.Event) string { return fill(r.Do, e, plain) }

// Link is where that is done.
func (r Row) Link(e abi.Event) string {
	return fill(r.At, e, func(v string) string { return url.PathEscape(plain(v)) })
}

// fill puts what an event says in the place of names in braces. What stands in brackets is left out
// where a name in it has no value.
func fill(pattern string, e abi.Event, write func(string) string) string {
	var b strings.Builder
	for pattern != "" {
		before, rest, found := strings.Cut(pattern, "[")
		text, _ := expand(before, e, write)
		b.WriteString(text)
		if !found {
			break
		}
		within, after, _ := strings.Cut(rest, "]")
		if text, whole := expand(within, e, write); whole {
			b.WriteString(text)
		}
		pattern = after
	}
	return b.String()
}

// expand puts values in the place of names. whole is false if one of them is empty.
func expand(text string, e abi.Event, write func(string) string) (out string, whole bool) {
	var b strings.Builder
	whole = true
	for {
		before, rest, found := strings.Cut(text, "{")
		b.WriteString(before)
		if !found {
			return b.String(), whole
		}
		name, after, _ := strings.Cut(rest, "}")
		v := cut(write(valueOf(e, name)), maxValue)
		whole = whole && v != ""
		b.WriteString(v)
		text = after
	}
}

// valueOf is what an event says under a name: the names of its own parts, or a key of its detail.
func valueOf(e abi.Event, name string) string {
	switch name {
	case "actor":
		return e.By()
	case "app":
		return e.App
	case "subject":
		return e.Subject
	case "what":
		return what(e)
	}
	return e.Detail[name]
}

// what is asked by a request, as its first event has it.
func what(e abi.Event) string {
	switch {
	case e.Detail["code"] != "":
		return "an exemption from " + e.Detail["code"] + " in " + e.Detail["tier"]
	case e.Detail["capability"] != "":
		return "the capability " + e.Detail["capability"]
	case e.Detail["tier"] != "" && e.Detail["release"] != "":
		return "release " + e.Detail["release"] + " in " + e.Detail["tier"]
	case e.Detail["kind"] != "":
		return e.Detail["kind"]
	}
	return "a decision"
}

// plain is a text on one line, of characters that are shown as they are: what breaks lines, steers
// terminals or turns the direction of writing becomes a space.
func plain(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, " "), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
}

// cut bounds a text in characters.
func cut(text string, most int) string {
	n := 0
	for i := range text {
		if n == most {
			return text[:i] + "…"
		}
		n++
	}
	return text
}
