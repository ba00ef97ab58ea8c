package blob

import (
	"context"
	"log/slog"

	"github.com/agora-host/agora/abi"
)

// Store keeps the blobs of all apps, apart from each other. Methods return an
// abi.Errno for what the guest caused; any other error is the node's. What Put
// and Delete acknowledged is durable.
type Store interface {
	// Put returns abi.ErrnoQuota when the app would keep more than its quota.
	Put(ctx context.Context, app, name string, b []byte, quota abi.KVQuota) error
	// Get returns fewer bytes where the blob ends, and none behind its end.
	Get(ctx context.Context, app, name string, offset, length int64) ([]byte, error)
	Stat(ctx context.Context, app, name string) (abi.BlobInfo, error)
	Delete(ctx context.Context, app, name string) error
	List(ctx context.Context, app, prefix, after string, limit int) ([]abi.BlobInfo, error)
}

// Blob is the capability.
type Blob struct {
	store Store
	log   *slog.Logger
}

// New makes the capability over a store.
func New(store Store, log *slog.Logger) *Blob {
	return &Blob{store, log.With("component", "blob")}
}

// Bind links the capability for an app with a quota. tell is called with what was refused for want of room.
func (c *Blob) Bind(app string, quota abi.KVQuota, tell func(error)) abi.Link {
	a := &bound{c, app, quota, tell}
	return abi.Link{"put": a.put, "get": a.get, "stat": a.stat, "delete": a.remove, "list": a.list}
}

// bound is the capability of one app.
type bound struct {
	*Blob
	app   string
	quota abi.KVQuota
	tell  func(error)
}

func (a *bound) put(ctx context.Context, in []byte) ([]byte, abi.Errno) {
	name, contents, ok := abi.DecodeBlobPut(in)
	if errno := checkName(name, ok); errno != abi.ErrnoOK {
		return nil, errno
	}
	if len(contents) > abi.MaxBlob {
		return nil, abi.ErrnoTooLarge
	}
	return nil, a.done(ctx, abi.MeterWrites, name, a.store.Put(ctx, a.app, name, contents, a.quota))
}

func (a *bound) get(ctx context.Context, in []byte) ([]byte, abi.Errno) {
	name, offset, length, ok := abi.DecodeBlobGet(in)
	if errno := checkName(name, ok); errno != abi.ErrnoOK {
		return nil, errno
	}
	b, err := a.store.Get(ctx, a.app, name, offset, min(length, abi.MaxBlob))
	return b, a.done(ctx, abi.MeterReads, name, err)
}

func (a *bound) stat(ctx context.Context, in []byte) ([]byte, abi.Errno) {
	if errno := checkName(string(in), true); errno != abi.ErrnoOK {
		return nil, errno
	}
	info, err := a.store.Stat(ctx, a.app, string(in))
	if errno := a.done(ctx, abi.MeterReads, string(in), err); errno != abi.ErrnoOK {
		return nil, errno
	}
	return abi.AppendBlobStat(nil, info), abi.ErrnoOK
}

func (a *bound) remove(ctx context.Context, in []byte) ([]byte, abi.Errno) {
	if errno := checkName(string(in), true); errno != abi.ErrnoOK {
		return nil, errno
	}
	return nil, a.done(ctx, abi.MeterWrites, string(in), a.store.Delete(ctx, a.app, string(in)))
}

func (a *bound) list(ctx context.Context, in []byte) ([]byte, abi.Errno) {
	prefix, after, ok := abi.DecodeKVScan(in)
	switch {
	case !ok:
		return nil, abi.ErrnoInvalid
	case len(prefix) > abi.MaxBlobName, len(after) > abi.MaxBlobName:
		return nil, abi.ErrnoTooLarge
	}
	all, err := a.store.List(ctx, a.app, prefix, after, abi.MaxKVList)
	var out []byte
	for _, b := range all {
		out = abi.AppendBlobEntry(out, b.Name, b.Size)
	}
	return out, a.done(ctx, abi.MeterReads, prefix, err)
}

func checkName(name string, ok bool) abi.Errno {
	switch {
	case !ok, name == "":
		return abi.ErrnoInvalid
	case len(name) > abi.MaxBlobName:
		return abi.ErrnoTooLarge
	}
	return abi.ErrnoOK
}

// done notes what became of an operation and tells the guest what it may know.
func (a *bound) done(ctx context.Context, meter, name string, err error) abi.Errno {
	errno, internal := abi.NoteOutcome(ctx, abi.Use{Capability: "blob", Meter: meter, Subject: abi.PrefixOf(name), N: 1}, err)
	if errno == abi.ErrnoQuota {
		a.tell(err)
	}
	if internal {
		a.log.ErrorContext(ctx, "an app's blob could not be reached", "app", a.app, "err", err)
	}
	return errno
}
