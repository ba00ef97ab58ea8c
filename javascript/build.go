package javascript

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path"
	"path/filepath"
	"slices"

	"github.com/agora-host/agora/abi/source"
)

// Source is an app before it is a module.
type Source struct {
	// Entry is the file that has the default export: "app.ts", "app.tsx", "app.js" …, relative to Dir.
	Entry string
	// Dir is where Entry, what it imports, node_modules and tsconfig.json are: an absolute path. If it is "", the
	// app is Code alone, and no file is read.
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
	Script   int           // bytes of the bundle
	Info     source.Origin
}

// Extensions are those of files that can be built.
var Extensions = []string{".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs"}

// IsSource reports whether a file's name is one of a script.
func IsSource(name string) bool { return slices.Contains(Extensions, path.Ext(filepath.ToSlash(name))) }

var errDir = errors.New("the directory of a Source is an absolute path")

// Build makes a module of an app. What is wrong with the app is an *Error. It reads nothing from the network.
func Build(ctx context.Context, s Source) (Built, error) {
	switch {
	case !IsSource(s.Entry):
		return Built{}, failure("%q is no script: name it .ts, .tsx, .js or .jsx", s.Entry)
	case s.Dir != "" && !filepath.IsAbs(s.Dir):
		return Built{}, errDir
	}
	version, err := Version()
	if err != nil {
		return Built{}, err
	}
	b, err := s.bundle(ctx)
	if err != nil {
		return Built{}, err
	}
	t, err := engine()
	if err != nil {
		return Built{}, err
	}
	sum := sha256.Sum256([]byte(b.script))
	files, packages := b.files()
	info := source.Origin{Engine: EngineName, Version: version, Entry: sourceName(s.Entry), Source: hex.EncodeToString(sum[:]), Packages: packages}
	module, err := pack(t.bytes, packing{script: b.script, lines: lineTable(b.sources, b.mappings), allowed: s.Capabilities, info: info, files: files})
	if err != nil {
		return Built{}, err
	}
	return Built{Module: module, Warnings: b.warnings, Files: files, Script: len(b.script), Info: info}, nil
}
