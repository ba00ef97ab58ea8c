package registry

import (
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/agora-host/agora/abi/static"
	"github.com/agora-host/agora/abi/wasm"
)

// Static are files that the node serves without starting the app. They are
// packed into the module before it is signed; see package abi/static.
type Static struct {
	Dir      string   `toml:"dir" json:"dir"`                               // where they are, beside the manifest, when the module is packed
	Fallback string   `toml:"fallback,omitempty" json:"fallback,omitempty"` // the file for pages that do not exist
	Cache    Duration `toml:"cache,omitempty" json:"cache,omitempty"`       // for which a browser need not ask again
	App      string   `toml:"app,omitempty" json:"app,omitempty"`           // paths that start with it are the app's
}

func (e *ManifestError) checkStatic(s *Static) {
	if s == nil {
		return
	}
	if !fs.ValidPath(s.Dir) || s.Dir == "." || plainText(s.Dir, maxTriggerPath) != nil {
		e.add("static.dir", fmt.Sprintf("static.dir %q is no directory beside the manifest", clip(s.Dir, 60)), "Name a directory below the manifest's.", `dir = "static"`)
	}
	if s.Fallback != "" && (!fs.ValidPath(s.Fallback) || plainText(s.Fallback, maxTriggerPath) != nil) {
		e.add("static.fallback", fmt.Sprintf("static.fallback %q is no file in it", clip(s.Fallback, 60)), "Name a file in the directory.", `fallback = "index.html"`)
	}
	if time.Duration(s.Cache) > 366*24*time.Hour {
		e.add("static.cache", "static.cache is more than a year", "Lower it.", `cache = "24h"`)
	}
	if s.App != "" && (!strings.HasPrefix(s.App, "/") || !strings.HasSuffix(s.App, "/") || plainText(s.App, maxTriggerPath) != nil) {
		e.add("static.app", fmt.Sprintf("static.app %q does not begin and end with a slash", clip(s.App, 60)), "Write the start of the app's own paths.", `app = "/api/"`)
	}
}

// CheckFiles returns an error unless a module carries the files that its manifest speaks of.
func (m Manifest) CheckFiles(module []byte) error {
	if m.Static == nil {
		return nil
	}
	archive, err := FilesOf(module)
	if err != nil {
		return err
	}
	if _, ok := archive.File(m.Static.Fallback); m.Static.Fallback != "" && !ok {
		return fmt.Errorf("%w: the manifest names %s as its fallback, and there is no such file", static.ErrBadArchive, m.Static.Fallback)
	}
	return nil
}

// FilesOf opens the files that a module carries. Their bytes are the module's.
func FilesOf(module []byte) (*static.Archive, error) {
	packed, ok, err := wasm.CustomSection(module, static.Section)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%w: the manifest has [static], and the module carries no files; agora deploy and agora pack put them in", static.ErrBadArchive)
	}
	return static.Open(packed)
}
