package python

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/agora-host/agora/abi/source"
	"github.com/agora-host/agora/script"
)

// mostFiles bounds how many files an app has.
const mostFiles = 500

// collector reads an app's files.
type collector struct {
	source script.Source
	files  []source.File
	have   map[string]bool
	size   int
	wrong  []script.Diagnostic
}

// collect returns the app's files, the entry first: what it imports of its own, and what that does.
func collect(s script.Source) ([]source.File, error) {
	c := &collector{source: s, have: map[string]bool{}}
	entry := nameOf(s.Entry)
	code := s.Code
	if s.Dir != "" {
		var err error
		if code, err = c.read(entry); err != nil {
			return nil, err
		}
	} else {
		entry = path.Base(entry)
	}
	if err := c.add(entry, code); err != nil {
		return nil, err
	}
	for i := 0; i < len(c.files); i++ {
		if err := c.follow(c.files[i]); err != nil {
			return nil, err
		}
	}
	if len(c.wrong) > 0 {
		return nil, &script.Error{Diagnostics: c.wrong}
	}
	sortFiles(c.files)
	return c.files, nil
}

// read reads an ordinary file that is in the app's directory.
func (c *collector) read(name string) ([]byte, error) {
	file := filepath.Join(c.source.Dir, filepath.FromSlash(name))
	info, err := os.Stat(file)
	if err != nil {
		return nil, script.Failure("there is no %s", name)
	}
	if !info.Mode().IsRegular() {
		return nil, script.Failure("%s is not an ordinary file", name)
	}
	if info.Size() > script.Max {
		return nil, tooLarge(name, int(info.Size()))
	}
	return os.ReadFile(file)
}

// add takes a file in, if the engine can read it.
func (c *collector) add(name string, code []byte) error {
	c.size += len(code)
	if c.size > script.Max {
		return tooLarge("the app with all that it imports", c.size)
	}
	if len(c.files) == mostFiles {
		return script.Failure("the app has more than %d files", mostFiles)
	}
	f := source.File{Name: name, Contents: string(code)}
	c.have[name] = true
	c.files = append(c.files, f)
	if i := bytes.IndexByte(code, 0); i >= 0 {
		c.wrong = append(c.wrong, script.Diagnostic{File: name, Line: 1 + bytes.Count(code[:i], []byte("\n")), Column: 1, Text: "there is a NUL byte in this file", Hint: "Write \\0 in a str or bytes."})
	} else if !utf8.Valid(code) {
		line := 1
		for l := range bytes.Lines(code) {
			if !utf8.Valid(l) {
				break
			}
			line++
		}
		c.wrong = append(c.wrong, script.Diagnostic{File: name, Line: line, Column: 1, Text: "this file is not in UTF-8", Hint: "Save it in UTF-8, as editors call it."})
	}
	return nil
}

// follow takes in what a file imports.
func (c *collector) follow(f source.File) error {
	for _, i := range imports(normal(f.Contents)) {
		if i.module == "" || builtIn[i.module] {
			continue
		}
		if strings.HasPrefix(i.module, ".") {
			c.wrong = append(c.wrong, at(f, i.line, "relative imports are not there in this preview", "Write the module's name: import "+strings.TrimLeft(i.module, ".")))
			continue
		}
		found := false
		for _, name := range candidates(i) {
			if c.have[name] {
				found = true
				continue
			}
			if c.source.Dir == "" {
				break
			}
			if info, err := os.Stat(filepath.Join(c.source.Dir, filepath.FromSlash(name))); err != nil || !info.Mode().IsRegular() {
				continue
			}
			code, err := c.read(name)
			if err == nil {
				err = c.add(name, code)
			}
			if err != nil {
				return err
			}
			found = true
		}
		if !found {
			c.wrong = append(c.wrong, at(f, i.line, c.absent(i.module), c.instead(i.module)))
		}
	}
	return nil
}

// candidates are the files that an import may mean: the module's, and, of a package, those that are imported from it.
func candidates(i imported) []string {
	base := strings.ReplaceAll(i.module, ".", "/")
	return []string{base + ".py", base + "/__init__.py"}
}

func (c *collector) absent(module string) string {
	top, _, _ := strings.Cut(module, ".")
	switch {
	case standard[top]:
		return fmt.Sprintf("%q of Python's standard library is not there in this preview", module)
	case c.source.Dir == "":
		return fmt.Sprintf("%q cannot be imported: this app is the one file that was given", module)
	}
	return fmt.Sprintf("there is no %s.py beside the app, and packages of pip's are not there in this preview", strings.ReplaceAll(module, ".", "/"))
}

func (c *collector) instead(module string) string {
	top, _, _ := strings.Cut(module, ".")
	switch {
	case instead[top] != "":
		return instead[top]
	case standard[top]:
		return "docs/python.md lists the modules that are there."
	case c.source.Dir == "":
		return "Write what it needs into this file, or run `agora deploy` where the other files are."
	}
	return "Write what it does yourself, or write the app in TypeScript, where packages are bundled, or in Go: docs/python.md."
}
