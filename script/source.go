package script

import (
	"path"
	"path/filepath"
	"slices"

	"github.com/agora-host/agora/abi/source"
)

// Source is an app before it is a module.
type Source struct {
	// Entry is the file that is the app's first: "app.ts", "app.py" …, relative to Dir.
	Entry string
	// Dir is where Entry and what it imports are: an absolute path. If it is "", the app is Code alone, and no
	// file is read.
	Dir string
	// Code is the entry's contents, if Dir is "".
	Code []byte
	// Capabilities are those that the manifest lists. The module imports no others.
	Capabilities []string
}

// Built is a module, and what is to be said of it.
type Built struct {
	Module   []byte
	Warnings []Diagnostic
	Files    []source.File // the app's own, without packages; the module has them, too
	Script   int           // bytes of what was put beside the engine
	Info     source.Origin
}

// Max bounds a script: start-up reads it, and each instance has it in its memory.
const Max = 5 << 20

// HasExtension reports whether a file's name ends in one of the extensions.
func HasExtension(name string, extensions []string) bool {
	return slices.Contains(extensions, path.Ext(filepath.ToSlash(name)))
}
