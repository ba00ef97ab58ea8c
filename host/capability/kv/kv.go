package kv

import (
	"context"
	"log/slog"

	"github.com/agora-host/agora/abi"
)

// Store keeps the data of all apps, apart from each other. Methods return an
// abi.Errno for what the guest caused; any other error is the node's. An entry
// that has expired is not there. What Write acknowledged is durable.
type Store interface {
	Get(ctx context.Context, app, key string) ([]byte, error)
	// Write returns abi.ErrnoQuota when the app would keep more than its quota,
	// and abi.ErrnoConflict when a swap finds what it did not expect.
	Write(ctx context.Context, app string, w abi.KVWrite, quota abi.KVQuota) error
	// List returns up to limit keys with a prefix that sort behind after, in order.
	List(ctx context.Context, app, prefix, after string, limit int) ([]string, error)
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

// Bind links the capability for an app with a quota. tell is called with what was refused for want of room.
func (c *KV) Bind(app string, quota abi.KVQuota, tell func(error)) abi.Link {
	a := &bound{c, app, quota, tell}
	return abi.Link{
		"get": func(ctx context.Context, in []byte) ([]byte, abi.Errno) { return a.get(ctx, string(in)) },
		"set": func(ctx context.Context, in []byte) ([]byte, abi.Errno) {
			w, ok := abi.DecodeKVSet(in)
			return nil, a.write(ctx, w, ok)
		},
		"put": func(ctx context.Context, in []byte) ([]byte, abi.Errno) {
			w, ok := abi.DecodeKVPut(in)
			return nil, a.write(ctx, w, ok)
		},
		"swap": func(ctx context.Context, in []byte) ([]byte, abi.Errno) {
			w, ok := abi.DecodeKVSwap(in)
			return nil, a.write(ctx, w, ok)
		},
		"delete": func(ctx context.Context, in []byte) ([]byte, abi.Errno) {
			return nil, a.write(ctx, abi.KVWrite{Key: string(in)}, true)
		},
		"list": func(ctx context.Context, in []byte) ([]byte, abi.Errno) { return a.list(ctx, string(in), "") },
		"scan": func(ctx context.Context, in []byte) ([]byte, abi.Errno) {
			prefix, after, ok := abi.DecodeKVScan(in)
			if !ok {
				return nil, abi.ErrnoInvalid
			}
			return a.list(ctx, prefix, after)
		},
	}
}

// bound is the capability of one app.
type bound struct {
	*KV
	app   string
	quota abi.KVQuota
	tell  func(error)
}

func (a *bound) get(ctx context.Context, key string) ([]byte, abi.Errno) {
	if errno := checkKey(key); errno != abi.ErrnoOK {
		return nil, errno
	}
	value, err := a.store.Get(ctx, a.app, key)
	return value, a.done(ctx, abi.MeterReads, key, err)
}

func (a *bound) write(ctx context.Context, w abi.KVWrite, ok bool) abi.Errno {
	if !ok {
		return abi.ErrnoInvalid
	}
	if errno := checkKey(w.Key); errno != abi.ErrnoOK {
		return errno
	}
	if len(w.Value) > abi.MaxKVValue {
		return abi.ErrnoTooLarge
	}
	return a.done(ctx, abi.MeterWrites, w.Key, a.store.Write(ctx, a.app, w, a.quota))
}

func (a *bound) list(ctx context.Context, prefix, after string) ([]byte, abi.Errno) {
	if len(prefix) > abi.MaxKVKey || len(after) > abi.MaxKVKey {
		return nil, abi.ErrnoTooLarge
	}
	keys, err := a.store.List(ctx, a.app, prefix, after, abi.MaxKVList)
	var out []byte
	for _, key := range keys {
		out = abi.AppendKVKey(out, key)
	}
	return out, a.done(ctx, abi.MeterReads, prefix, err)
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

// done notes what became of an operation and tells the guest what it may know.
func (a *bound) done(ctx context.Context, meter, key string, err error) abi.Errno {
	errno, internal := abi.NoteOutcome(ctx, abi.Use{Capability: "kv", Meter: meter, Subject: abi.PrefixOf(key), N: 1}, err)
	if errno == abi.ErrnoQuota {
		a.tell(err)
	}
	if internal {
		a.log.ErrorContext(ctx, "an app's data could not be reached", "app", a.app, "err", err)
	}
	return errno
}
