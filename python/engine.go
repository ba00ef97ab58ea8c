package python

import (
	_ "embed"

	"github.com/agora-host/agora/script"
)

//go:embed engine/engine.wasm.gz
var compressed []byte

// EngineName is the engine inside of the modules that this version makes.
const EngineName = "pocketpy 2.0.0 preview"

var interpreter = script.NewEngine(EngineName, "", compressed)

// Version identifies what this package makes modules with: the engine, with what apps are given.
func Version() (string, error) { return interpreter.Version() }

//go:embed versions.txt
var versions string

// Versions are all that are known, the oldest first. The last is Version.
func Versions() ([]script.Known, error) { return script.ReadVersions(versions) }
