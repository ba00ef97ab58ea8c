package javascript

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"sync"
)

//go:embed engine/engine.wasm.gz
var compressed []byte

// EngineName is the engine inside of the modules that this version makes.
const EngineName = "quickjs-ng 0.16.2"

// template is the engine without a script.
type template struct {
	bytes  []byte
	digest string // of the bytes
}

var engine = sync.OnceValues(func() (template, error) {
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return template{}, fmt.Errorf("read the JavaScript engine: %w", err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return template{}, fmt.Errorf("read the JavaScript engine: %w", err)
	}
	sum := sha256.Sum256(b)
	return template{b, hex.EncodeToString(sum[:])}, nil
})

// bundler is what makes one script of an app's files.
const bundler = "esbuild 0.28.2"

// Version identifies what this package makes modules with: the engine, the prelude that is in it, and the bundler. Modules
// made by another version go on to run as they are; of the same files, the same version makes the same.
func Version() (string, error) {
	t, err := engine()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(t.digest + bundler))
	return EngineName + "+" + hex.EncodeToString(sum[:6]), nil
}
