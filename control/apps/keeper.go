package apps

import (
	"context"
	"sync"
	"time"

	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
)

// Blobs are the stored modules and signatures, by digest.
type Blobs interface {
	// Pin keeps blobs, whether something names them or not, until unpin is called.
	Pin(digests ...registry.Digest) (unpin func())
	// Remove removes a blob that is neither pinned nor named, and reports whether it is gone.
	Remove(d registry.Digest, named func(registry.Digest) (bool, error)) (gone bool, err error)
	Each(see func(registry.Digest) error) error
	Size(d registry.Digest) (int64, error)
}

// Copies are the snapshots and backups of the state, which may name blobs that the state does not
// name any more.
type Copies interface {
	// Hold keeps copies from being made until release is called, and returns when the oldest was begun:
	// zero if there is none. held is false while one is made.
	Hold() (oldest time.Time, release func(), held bool, err error)
}

// Remains are what a stopped app keeps beside its records.
type Remains interface {
	// Quiet returns once no call of the app runs.
	Quiet(ctx context.Context, app string) error
	// Measure lists what there is.
	Measure(ctx context.Context, app string) ([]registry.Removed, error)
	// Erase removes it, and brings to the records what it adds to them. It can be repeated.
	Erase(ctx context.Context, app string) error
	// Scrub removes what the app's records left in files, once they are gone. It can be repeated.
	Scrub(ctx context.Context) error
}

// Seal signs documents for the node.
type Seal interface {
	SignDocument(document []byte) (signature []byte, err error)
	VerifyDocument(document, signature []byte) error
}

// KeeperOptions are what a Keeper needs.
type KeeperOptions struct {
	Desk    *control.Desk
	Keep    Retention
	Blobs   Blobs
	Copies  Copies
	Remains Remains
	Seal    Seal
}

// Keeper removes apps, releases and blobs when their time has come, and certifies it.
type Keeper struct {
	desk    *control.Desk
	keep    Retention
	blobs   Blobs
	copies  Copies
	remains Remains
	seal    Seal

	removing sync.Mutex    // held while apps are removed
	wake     chan struct{} // has it looked for apps to remove; holds one
}

// NewKeeper makes a Keeper. It removes apps while RemoveRegularly runs.
func NewKeeper(o KeeperOptions) *Keeper {
	return &Keeper{desk: o.Desk, keep: o.Keep, blobs: o.Blobs, copies: o.Copies, remains: o.Remains, seal: o.Seal, wake: make(chan struct{}, 1)}
}
