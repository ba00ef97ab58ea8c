package kv

import (
	"context"
	"errors"
	"log/slog"

	"github.com/agora-host/agora/abi"
)

// maxList is the most keys that one list answers.
const maxList = 1000

// Store keeps the data of all apps, apart from each other. Methods answer an
// abi.Errno for what the guest caused; any other error is the node's. What Set
// and Delete acknowledged is durable.
type Store interface {
	Get(ctx context.Context, app, key string) ([]byte, error)
	// Set answers abi.ErrnoQuota when the app would keep more than quota bytes
	// of keys and values.
	Set(ctx context.Context, app, key string, value []byte, quota int64) error
	Delete(ctx context.Context, app, key string) error
	List(ctx context.Context, app, prefix string, limit int) ([]string, error)
}

// KV is the capability.
type KV struct {
	store Store
	log   *slog.Logger
}

// New makes the capability over a store.
func New(store Store, log *slog.Logger) *KV {
	return &KV{store, log.With("component", "kv")}
}

// Bind links the capability for an app that may keep quota bytes.
func (c *KV) Bind(app string, quota int64) abi.Link {
	return abi.Link{
		"get": func(ctx context.Context, key []byte) ([]byte, abi.Errno) {
			if errno := checkKey(string(key)); errno != abi.ErrnoOK {
				return nil, errno
			}
			value, err := c.store.Get(ctx, app, string(key))
			return value, c.errno(ctx, app, err)
		},
		"set": func(ctx context.Context, in []byte) ([]byte, abi.Errno) {
			key, value, ok := abi.DecodeKVSet(in)
			if !ok {
				return nil, abi.ErrnoInvalid
			}
			if errno := checkKey(key); errno != abi.ErrnoOK {
				return nil, errno
			}
			if len(value) > abi.MaxKVValue {
				return nil, abi.ErrnoTooLarge
			}
			return nil, c.errno(ctx, app, c.store.Set(ctx, app, key, value, quota))
		},
		"delete": func(ctx context.Context, key []byte) ([]byte, abi.Errno) {
			if errno := checkKey(string(key)); errno != abi.ErrnoOK {
				return nil, errno
			}
			return nil, c.errno(ctx, app, c.store.Delete(ctx, app, string(key)))
		},
		"list": func(ctx context.Context, prefix []byte) ([]byte, abi.Errno) {
			if len(prefix) > abi.MaxKVKey {
				return nil, abi.ErrnoTooLarge
			}
			keys, err := c.store.List(ctx, app, string(prefix), maxList)
			if err != nil {
				return nil, c.errno(ctx, app, err)
			}
			var out []byte
			for _, key := range keys {
				out = abi.AppendKVKey(out, key)
			}
			return out, abi.ErrnoOK
		},
	}
}

func checkKey(key string) abi.Errno {
	switch {
	case key == "":
		return abi.ErrnoInvalid
	case len(key) > abi.MaxKVKey:
		return abi.ErrnoTooLarge
	}
	return abi.ErrnoOK
}

// errno tells the guest what it may know: what is the node's own trouble goes
// to the node's log.
func (c *KV) errno(ctx context.Context, app string, err error) abi.Errno {
	if err == nil {
		return abi.ErrnoOK
	}
	if errno, ok := errors.AsType[abi.Errno](err); ok {
		return errno
	}
	c.log.ErrorContext(ctx, "an app's data could not be reached", "app", app, "err", err)
	return abi.ErrnoUnavailable
}
