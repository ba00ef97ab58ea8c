//go:build !wasip1

package secret

import (
	"context"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/guest/internal/call"
)

var memory = newFake()

// Reset forgets everything, between tests.
func Reset() { memory = newFake() }

// Set provides a secret, which is then granted too.
func Set(name, value string) {
	memory.granted[name] = true
	memory.values[name] = value
}

// fake behaves as the node does.
type fake struct {
	granted map[string]bool
	values  map[string]string
}

func newFake() *fake { return &fake{map[string]bool{}, map[string]string{}} }

func (f *fake) link() abi.Link {
	return abi.Link{"get": func(_ context.Context, name []byte) ([]byte, abi.Errno) {
		value, ok := f.values[string(name)]
		switch {
		case !f.granted[string(name)]:
			return nil, abi.ErrnoDenied
		case !ok:
			return nil, abi.ErrnoNotFound
		}
		return []byte(value), abi.ErrnoOK
	}}
}

func get(in []byte) ([]byte, error) { return call.Do(memory.link(), "get", in) }
