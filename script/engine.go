package script

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"sync"
)

// Engine is an interpreter that scripts are put into.
type Engine struct {
	name, beside string
	template     func() (template, error)
}

// template is the engine without a script.
type template struct {
	bytes  []byte
	digest string // of the bytes
}

// NewEngine is an engine of a module that is compressed by gzip. beside names what else decides on the modules that
// are made with it, as a bundler.
func NewEngine(name, beside string, compressed []byte) *Engine {
	return &Engine{name, beside, sync.OnceValues(func() (template, error) {
		r, err := gzip.NewReader(bytes.NewReader(compressed))
		if err != nil {
			return template{}, fmt.Errorf("read the engine %s: %w", name, err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return template{}, fmt.Errorf("read the engine %s: %w", name, err)
		}
		sum := sha256.Sum256(b)
		return template{b, hex.EncodeToString(sum[:])}, nil
	})}
}

// Name is the engine's and its version's.
func (e *Engine) Name() string { return e.name }

// Bytes are those of the engine without a script.
func (e *Engine) Bytes() ([]byte, error) {
	t, err := e.template()
	return t.bytes, err
}

// Digest is the SHA-256 of the engine without a script, in hex.
func (e *Engine) Digest() (string, error) {
	t, err := e.template()
	return t.digest, err
}

// Version identifies what makes modules: the engine with all that is in it, and what is beside it. Modules made by
// another version go on to run as they are; of the same files, the same version makes the same.
func (e *Engine) Version() (string, error) {
	t, err := e.template()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(t.digest + e.beside))
	return e.name + "+" + hex.EncodeToString(sum[:6]), nil
}
