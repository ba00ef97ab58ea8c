package kv

import (
	"errors"
	"iter"
	"time"

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

// Put keeps a value for some time, in steps of a millisecond, after which it is
// gone. Setting it again, without a time, keeps it for ever.
func Put(key string, value []byte, ttl time.Duration) error {
	if ttl <= 0 || ttl > abi.MaxKVTTL {
		return abi.ErrnoInvalid
	}
	_, err := put(abi.AppendKVPut(nil, key, value, ttl))
	return err
}

// Add keeps a value unless there is one; added tells which it was.
func Add(key string, value []byte) (added bool, err error) {
	return AddFor(key, value, 0)
}

// AddFor is Add for an entry that is there for some time, or for ever with 0.
func AddFor(key string, value []byte, ttl time.Duration) (added bool, err error) {
	if ttl < 0 || ttl > abi.MaxKVTTL {
		return false, abi.ErrnoInvalid
	}
	if value == nil {
		value = []byte{} // there, and empty
	}
	return change(abi.KVWrite{Key: key, Value: value, TTL: ttl})
}

// Swap keeps a value if the one that is there is old, in one step: of those who
// try at the same time, one succeeds. A nil old means that there must be none, and
// a nil value deletes.
func Swap(key string, old, value []byte) (swapped bool, err error) {
	return change(abi.KVWrite{Key: key, Old: old, Value: value})
}

func change(w abi.KVWrite) (changed bool, err error) {
	_, err = swap(abi.AppendKVSwap(nil, w))
	if errors.Is(err, abi.ErrnoConflict) {
		return false, nil
	}
	return err == nil, err
}

// Update changes a value in a way that no other change comes between: change is
// told what is there, nil for nothing, and returns what shall be there, nil for
// nothing. It is called again when something came between.
func Update(key string, change func(old []byte) []byte) error {
	for {
		old, ok, err := Get(key)
		if err != nil {
			return err
		}
		if ok && old == nil {
			old = []byte{}
		}
		if swapped, err := Swap(key, old, change(old)); swapped || err != nil {
			return err
		}
	}
}

// Delete forgets a key, whether it was there or not.
func Delete(key string) error {
	_, err := remove([]byte(key))
	return err
}

// List returns the first thousand keys that start with prefix, in order.
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

// Keys walks over all keys that start with prefix, in order. It ends with an
// error, if there is one. What is added or deleted meanwhile may be among them.
func Keys(prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		after := ""
		for {
			raw, err := scan(abi.AppendKVScan(nil, prefix, after))
			keys, ok := abi.DecodeKVKeys(raw)
			if err == nil && !ok {
				err = abi.ErrnoInvalid
			}
			if err != nil {
				yield("", err)
				return
			}
			for _, key := range keys {
				if !yield(key, nil) {
					return
				}
				after = key
			}
			if len(keys) < abi.MaxKVList {
				return
			}
		}
	}
}
