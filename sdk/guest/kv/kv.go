package kv

import (
	"errors"

	"github.com/agora-host/agora/abi"
)

// Get reads a value; ok is false if there is none. Any other error is an
// abi.Errno.
func Get(key string) (value []byte, ok bool, err error) {
	value, err = get([]byte(key))
	if errors.Is(err, abi.ErrnoNotFound) {
		return nil, false, nil
	}
	return value, err == nil, err
}

// Set keeps a value. abi.ErrnoQuota means that the app's quota is used up.
func Set(key string, value []byte) error {
	_, err := set(abi.AppendKVSet(nil, key, value))
	return err
}

// Delete forgets a key, whether it was there or not.
func Delete(key string) error {
	_, err := remove([]byte(key))
	return err
}

// List answers the first thousand keys that start with prefix, in order.
func List(prefix string) ([]string, error) {
	raw, err := list([]byte(prefix))
	if err != nil {
		return nil, err
	}
	keys, ok := abi.DecodeKVKeys(raw)
	if !ok {
		return nil, abi.ErrnoInvalid
	}
	return keys, nil
}
