//go:build !wasip1

package config

import "github.com/agora-host/agora/abi"

var settings = map[string]string{}

// Set provides a setting, for tests.
func Set(key, value string) { settings[key] = value }

func get(key []byte) ([]byte, error) {
	value, ok := settings[string(key)]
	if !ok {
		return nil, abi.ErrnoNotFound
	}
	return []byte(value), nil
}
