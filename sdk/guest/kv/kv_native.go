//go:build !wasip1

package kv

import (
	"maps"
	"slices"
	"strings"

	"github.com/agora-host/agora/abi"
)

var memory = map[string][]byte{}

// Reset forgets everything, between tests.
func Reset() { clear(memory) }

func get(key []byte) ([]byte, error) {
	value, ok := memory[string(key)]
	if !ok {
		return nil, abi.ErrnoNotFound
	}
	return slices.Clone(value), nil
}

func set(in []byte) ([]byte, error) {
	key, value, ok := abi.DecodeKVSet(in)
	switch {
	case !ok, key == "":
		return nil, abi.ErrnoInvalid
	case len(key) > abi.MaxKVKey, len(value) > abi.MaxKVValue:
		return nil, abi.ErrnoTooLarge
	}
	memory[key] = slices.Clone(value)
	return nil, nil
}

func remove(key []byte) ([]byte, error) {
	delete(memory, string(key))
	return nil, nil
}

func list(prefix []byte) (out []byte, err error) {
	for _, key := range slices.Sorted(maps.Keys(memory)) {
		if strings.HasPrefix(key, string(prefix)) {
			out = abi.AppendKVKey(out, key)
		}
	}
	return out, nil
}
