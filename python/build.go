package python

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi/source"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/script"
)

// Extensions are those of files that can be built.
var Extensions = []string{".py"}

// IsSource reports whether a file's name is one of a script.
func IsSource(name string) bool { return script.HasExtension(name, Extensions) }

// preview is said of each app that is built.
var preview = script.Diagnostic{Text: "Python is a preview: a subset of the language, without packages", Hint: "docs/python.md says what is there, and what differs from CPython."}

var errDir = errors.New("the directory of a Source is an absolute path")

// checkTime bounds what the engine takes to compile the files.
const checkTime = 20 * time.Second

// Build makes a module of an app. What is wrong with the app is a *script.Error. It reads nothing from the network.
func Build(ctx context.Context, s script.Source) (none script.Built, err error) {
	switch {
	case !IsSource(s.Entry):
		return none, script.Failure("%q is no script in Python: name it .py", s.Entry)
	case s.Dir != "" && !filepath.IsAbs(s.Dir):
		return none, errDir
	}
	version, err := Version()
	if err != nil {
		return none, err
	}
	files, err := collect(s)
	if err != nil {
		return none, err
	}
	code := join(files)
	sum := sha256.Sum256([]byte(code))
	info := source.Origin{Engine: EngineName, Version: version, Entry: files[0].Name, Source: hex.EncodeToString(sum[:])}
	p := script.Packing{Script: code, Allowed: s.Capabilities, Info: info, Files: files}
	if err := check(ctx, p); err != nil {
		return none, err
	}
	module, err := interpreter.Pack(p)
	return script.Built{Module: module, Files: files, Script: len(code), Info: info, Warnings: []script.Diagnostic{preview}}, err
}

// join writes the files as the engine reads them: names and contents by turns, each with a NUL behind it.
func join(files []source.File) string {
	var b strings.Builder
	for _, f := range files {
		b.WriteString(f.Name + "\x00" + normal(f.Contents) + "\x00")
	}
	return b.String()
}

// normal is a text without a byte order mark, and with the ends of lines that the engine knows.
func normal(text string) string {
	text = strings.TrimPrefix(text, "\ufeff")
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}

// check has the engine compile the files, and run none.
func check(ctx context.Context, p script.Packing) error {
	p.Check, p.Files, p.Allowed = true, nil, nil
	files := p.Script
	module, err := interpreter.Pack(p)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	said, err := engine.Errand(limited, module, "agora_check")
	var wrong []script.Diagnostic
	for line := range strings.Lines(said) {
		if d, ok := diagnostic(strings.TrimSuffix(line, "\n"), files); ok {
			wrong = append(wrong, d)
		}
	}
	switch {
	case len(wrong) > 0:
		return &script.Error{Diagnostics: wrong}
	case errors.Is(err, engine.ErrErrand), err != nil && ctx.Err() == nil && limited.Err() != nil:
		first, _, _ := strings.Cut(p.Script, "\x00")
		return &script.Error{Diagnostics: []script.Diagnostic{{
			File: first, Line: 1, Column: 1, Text: "the engine cannot compile this app: it nests too deeply, has too many names, or is too large" + reason(said),
			Hint: "Make it smaller, and keep data in blobs, in the kv store or among static files.",
		}}}
	}
	return err
}

func reason(said string) string {
	if line, _, _ := strings.Cut(strings.TrimSpace(said), "\n"); line != "" {
		return " (" + line + ")"
	}
	return ""
}

// diagnostic reads what the engine says of a file: line, name and text, with tabs between.
func diagnostic(line, files string) (d script.Diagnostic, ok bool) {
	parts := strings.SplitN(line, "\t", 3)
	if len(parts) != 3 {
		return d, false
	}
	n, err := strconv.Atoi(parts[0])
	if err != nil {
		return d, false
	}
	d = script.Diagnostic{File: parts[1], Line: max(n, 1), Column: 1, Text: "SyntaxError: " + parts[2]}
	named := strings.Split(files, "\x00")
	for i := 0; i+1 < len(named); i += 2 {
		if named[i] == d.File {
			d.Source, d.Column = lineOf(named[i+1], d.Line)
		}
	}
	for _, h := range hints {
		if strings.Contains(d.Text, h.said) || h.written != "" && strings.HasPrefix(strings.TrimSpace(d.Source), h.written) {
			d.Hint = h.hint
			break
		}
	}
	return d, true
}

// hints say what to do about what the subset lacks.
var hints = []struct{ said, written, hint string }{
	{written: "async ", hint: "Handlers are plain functions here: write def fetch(request, env). The calls of env wait by themselves."},
	{written: "await ", hint: "There is no await in this preview: the calls of env wait by themselves."},
	{written: "match ", hint: "There is no match in this preview: write if and elif."},
	{written: "nonlocal ", hint: "There is no nonlocal in this preview: keep the value in a list or an object."},
}

// mostSource bounds the line that a diagnostic quotes.
const mostSource = 160

// lineOf is a line of a text, without what it is indented by, and the column behind that.
func lineOf(text string, n int) (line string, column int) {
	for l := range strings.Lines(text) {
		if n--; n > 0 {
			continue
		}
		l = strings.TrimRight(l, "\n")
		if len(l) > mostSource {
			return "", 1
		}
		return l, 1 + len(l) - len(strings.TrimLeft(l, " \t"))
	}
	return "", 1
}

// at is a diagnostic at a line of a file.
func at(f source.File, line int, text, hint string) script.Diagnostic {
	d := script.Diagnostic{File: f.Name, Line: line, Text: text, Hint: hint}
	d.Source, d.Column = lineOf(normal(f.Contents), line)
	return d
}

// tooLarge says that a file, or all, are more than a script may be.
func tooLarge(name string, size int) error {
	return &script.Error{Diagnostics: []script.Diagnostic{{
		Text: fmt.Sprintf("%s has %.1f MiB, and a script has at most %d MiB", name, float64(size)/(1<<20), script.Max>>20),
		Hint: "Keep data among static files ([static] in agora.toml), in blobs or in the kv store.",
	}}}
}

// sortFiles puts the entry first and the others in their order.
func sortFiles(files []source.File) {
	slices.SortFunc(files[1:], func(a, b source.File) int { return strings.Compare(a.Name, b.Name) })
}

// nameOf is a file's name as others see it: without the directories above the app.
func nameOf(name string) string { return path.Clean(filepath.ToSlash(name)) }
