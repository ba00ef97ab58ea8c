package source

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/agora-host/agora/abi/wasm"
)

// Names of the custom sections.
const (
	infoSection  = "agora-javascript"
	filesSection = "agora-source"
)

// Bounds of what is read of a module, which anybody may have written.
const (
	maxInfo  = 4 << 10
	maxFiles = 16 << 20
	mostName = 1 << 10
)

// Origin says what is inside of a module that was made of a script.
type Origin struct {
	Engine  string `json:"engine"`  // "quickjs-ng 0.16.2"
	Version string `json:"version"` // of all that stands beside the script: the engine's, and a digest
	Entry   string `json:"entry"`   // the app's first file
	Source  string `json:"source"`  // SHA-256 of the script, in hex
	// Packages reports whether code of packages is in the script, which is not among the files.
	Packages bool `json:"packages,omitempty"`
}

// File is a file of the app's own.
type File struct {
	Name     string `json:"name"` // relative to the app's directory, with slashes
	Contents string `json:"contents"`
}

// ReadOrigin reads what a module says of its engine; ok is false if it says nothing.
func ReadOrigin(module []byte) (i Origin, ok bool) {
	data, found, err := wasm.CustomSection(module, infoSection)
	if err != nil || !found || len(data) > maxInfo || json.Unmarshal(data, &i) != nil || i.Engine == "" {
		return Origin{}, false
	}
	for _, text := range []string{i.Engine, i.Version, i.Entry, i.Source} {
		if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return Origin{}, false
		}
	}
	return i, true
}

// ReadFiles reads the files that a module says it was made of, by name; none if it has none, or if
// they cannot be shown.
func ReadFiles(module []byte) []File {
	var files []File
	data, found, err := wasm.CustomSection(module, filesSection)
	if err != nil || !found || len(data) > maxFiles || json.Unmarshal(data, &files) != nil {
		return nil
	}
	for _, f := range files {
		if f.Name == "" || len(f.Name) > mostName || !utf8.ValidString(f.Name) {
			return nil
		}
	}
	return files
}

// Sections returns the custom sections that say all of this. Files that are too large to be read again
// are left out.
func Sections(i Origin, files []File) ([]wasm.Custom, error) {
	info, err := json.Marshal(i)
	if err != nil {
		return nil, err
	}
	all := []wasm.Custom{{Name: infoSection, Data: info}}
	data, err := json.Marshal(slices.Concat([]File{}, files))
	if err == nil && len(files) > 0 && len(data) <= maxFiles {
		all = append(all, wasm.Custom{Name: filesSection, Data: data})
	}
	return all, err
}
