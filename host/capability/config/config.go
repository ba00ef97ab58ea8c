package config

import (
	"context"
	"maps"

	"github.com/agora-host/agora/abi"
)

// Bind links the capability with a release's settings.
func Bind(settings map[string]string) abi.Link {
	settings = maps.Clone(settings)
	return abi.Link{"get": func(_ context.Context, key []byte) ([]byte, abi.Errno) {
		value, ok := settings[string(key)]
		if !ok {
			return nil, abi.ErrnoNotFound
		}
		return []byte(value), abi.ErrnoOK
	}}
}
