package node

import (
	"context"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/capability/blob"
	"github.com/agora-host/agora/host/capability/kv"
)

// thrifty is the apps' data on a disk that may be nearly full, and within what their owners may keep in sum.
type thrifty struct {
	kv.Store
	reserve *reserve
	rooms   *rooms
}

// Write lets apps delete, whatever is left.
func (s thrifty) Write(ctx context.Context, app string, w abi.KVWrite, quota abi.KVQuota) error {
	if w.Value == nil {
		return s.Store.Write(ctx, app, w, quota)
	}
	if err := s.reserve.apps(); err != nil {
		return err
	}
	return s.rooms.write(app, int64(len(w.Key)+len(w.Value)), func(grow *abi.Growth) error {
		quota.Grow = grow
		return s.Store.Write(ctx, app, w, quota)
	})
}

// thriftyFiles is thrifty for blobs.
type thriftyFiles struct {
	blob.Store
	reserve *reserve
	rooms   *rooms
}

// Put stores a blob if the disk has room for more than the node itself needs.
func (s thriftyFiles) Put(ctx context.Context, app, name string, b []byte, quota abi.KVQuota) error {
	if err := s.reserve.apps(); err != nil {
		return err
	}
	return s.rooms.write(app, int64(len(name)+len(b)), func(grow *abi.Growth) error {
		quota.Grow = grow
		return s.Store.Put(ctx, app, name, b, quota)
	})
}
