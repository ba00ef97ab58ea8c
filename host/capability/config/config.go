package config

import (
	"context"
	"maps"

	"github.com/agora-host/agora/abi"
)

// Bind links the capability with a release's settings.
func Bind(settings map[string]string) abi.Link {
	settings = maps.Clone(settings)
	return abi.Link{"get": func(ctx context.Context, key []byte) ([]byte, abi.Errno) {
		abi.Note(ctx, abi.Use{Capability: "config", Meter: abi.MeterReads, N: 1})
		value, ok := settings[string(key)]
		if !ok {
			return nil, abi.ErrnoNotFound
		}
		return []byte(value), abi.ErrnoOK
	}}
}
