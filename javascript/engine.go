package javascript

import (
	_ "embed"

	"github.com/agora-host/agora/script"
)

//go:embed engine/engine.wasm.gz
var compressed []byte

// EngineName is the engine inside of the modules that this version makes.
const EngineName = "quickjs-ng 0.16.2"

// bundler is what makes one script of an app's files.
const bundler = "esbuild 0.28.2"

var engine = script.NewEngine(EngineName, bundler, compressed)

// Version identifies what this package makes modules with: the engine, the prelude that is in it, and the bundler.
func Version() (string, error) { return engine.Version() }

//go:embed versions.txt
var versions string

// Versions are all that are known, the oldest first. The last is Version.
func Versions() ([]script.Known, error) { return script.ReadVersions(versions) }
