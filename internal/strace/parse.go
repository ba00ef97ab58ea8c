package strace

import (
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Event is the beginning or the end of a call.
type Event struct {
	*Call
	Ends bool
}

// Call is a system call. When it begins, those of its arguments are there that it
// brings along.
type Call struct {
	Thread int
	Name   string
	Ended  bool
	Result int64  // -1 with an Error
	Error  string // "ENOENT"
	text   string // of the arguments, as far as they were printed
	began  []string
	all    []string
}

// Args are the arguments as strace prints them.
func (e Event) Args() []string {
	if e.Ends {
		return e.all
	}
	return e.began
}

const (
	unfinished = " <unfinished ...>"
	resumed    = " resumed>"
	// gone is said of a thread that was ended, by another's exit or a kill, as it was stopped before a call:
	// strace could not read which, and it never began.
	gone = "???( <detached ...>"
)

// Parse reads a record's lines.
func Parse(lines iter.Seq[string]) ([]Event, error) {
	var events []Event
	open := map[int]*Call{} // by thread
	n := 0
	for line := range lines {
		n++
		if err := parse(strings.TrimSuffix(line, "\n"), open, func(c *Call, ends bool) { events = append(events, Event{c, ends}) }); err != nil {
			return nil, fmt.Errorf("line %d: %w: %.200s", n, err, line)
		}
	}
	return events, nil
}

var errForm = errors.New("is not understood")

func parse(line string, open map[int]*Call, add func(*Call, bool)) (err error) {
	number, rest, ok := strings.Cut(line, " ")
	thread, err := strconv.Atoi(number)
	if err != nil || !ok {
		return errForm
	}
	rest = strings.TrimLeft(rest, " ")
	if strings.HasPrefix(rest, "+++ ") || strings.HasPrefix(rest, "--- ") {
		return nil // it ended, or was signalled
	}
	if rest == gone {
		return nil
	}
	c := open[thread]
	if after, ok := strings.CutPrefix(rest, "<... "); ok {
		name, more, ok := strings.Cut(after, resumed)
		if !ok || c == nil || c.Name != name {
			return errForm
		}
		delete(open, thread)
		return c.end(more, add)
	}
	if c != nil {
		return errForm
	}
	name, args, ok := strings.Cut(rest, "(")
	if !ok || strings.ContainsAny(name, " <\"") {
		return errForm
	}
	c = &Call{Thread: thread, Name: name}
	begun, waits := strings.CutSuffix(args, unfinished)
	if waits {
		c.text = begun
		if c.began, err = split(begun); err != nil {
			return err
		}
		open[thread] = c
		add(c, false)
		return nil
	}
	add(c, false)
	if err := c.end(args, add); err != nil {
		return err
	}
	c.began = c.all
	return nil
}

// end reads ") = result" behind the last arguments.
func (c *Call) end(more string, add func(*Call, bool)) error {
	at := strings.LastIndex(more, ") ")
	if at < 0 {
		return errForm
	}
	var err error
	if c.all, err = split(c.text + more[:at]); err != nil {
		return err
	}
	result, ok := strings.CutPrefix(strings.TrimLeft(more[at+2:], " "), "= ")
	if !ok {
		return errForm
	}
	value, rest, _ := strings.Cut(result, " ")
	if value == "?" {
		return nil // the process ended within it
	}
	if c.Result, err = strconv.ParseInt(value, 0, 64); err != nil {
		return errForm
	}
	if c.Result == -1 {
		c.Error, _, _ = strings.Cut(rest, " ")
	}
	c.Ended = true
	add(c, true)
	return nil
}

// split divides arguments at the commas that are in no bracket. Strings have none
// of either: each of their bytes is printed as a number.
func split(text string) (args []string, err error) {
	depth, from := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case ',':
			if depth == 0 {
				args, from = append(args, strings.TrimSpace(text[from:i])), i+1
			}
		}
	}
	if last := strings.TrimSpace(text[from:]); last != "" {
		args = append(args, last)
	}
	if depth < 0 {
		return nil, errForm
	}
	return args, nil
}

// bytesOf reads a string that was printed in numbers, and is there to its end.
func bytesOf(arg string) ([]byte, error) {
	digits, ok := strings.CutPrefix(arg, `"`)
	digits, ends := strings.CutSuffix(digits, `"`)
	if !ok || !ends {
		return nil, fmt.Errorf("%.60s: is no whole string", arg)
	}
	return hex.DecodeString(strings.ReplaceAll(digits, `\x`, ""))
}

func flag(arg, name string) bool { return slices.Contains(strings.Split(arg, "|"), name) }
