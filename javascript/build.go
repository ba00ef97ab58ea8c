package javascript

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path/filepath"

	"github.com/agora-host/agora/abi/source"
	"github.com/agora-host/agora/script"
)

// What is given and made is of package script.
type (
	Source     = script.Source
	Built      = script.Built
	Diagnostic = script.Diagnostic
	Error      = script.Error
)

// project is a source that is bundled.
type project struct{ Source }

// Extensions are those of files that can be built.
var Extensions = []string{".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs"}

// IsSource reports whether a file's name is one of a script.
func IsSource(name string) bool { return script.HasExtension(name, Extensions) }

var errDir = errors.New("the directory of a Source is an absolute path")

// Build makes a module of an app. What is wrong with the app is an *Error. It reads nothing from the network.
func Build(ctx context.Context, s Source) (Built, error) {
	switch {
	case !IsSource(s.Entry):
		return Built{}, script.Failure("%q is no script: name it .ts, .tsx, .js or .jsx", s.Entry)
	case s.Dir != "" && !filepath.IsAbs(s.Dir):
		return Built{}, errDir
	}
	version, err := Version()
	if err != nil {
		return Built{}, err
	}
	b, err := project{s}.bundle(ctx)
	if err != nil {
		return Built{}, err
	}
	sum := sha256.Sum256([]byte(b.script))
	files, packages := b.files()
	info := source.Origin{Engine: EngineName, Version: version, Entry: sourceName(s.Entry), Source: hex.EncodeToString(sum[:]), Packages: packages}
	module, err := engine.Pack(script.Packing{Script: b.script, Lines: lineTable(b.sources, b.mappings), Allowed: s.Capabilities, Info: info, Files: files})
	if err != nil {
		return Built{}, err
	}
	return Built{Module: module, Warnings: b.warnings, Files: files, Script: len(b.script), Info: info}, nil
}
