package blobstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/agora-host/agora/internal/durable"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/registry"
)

// Staged is bytes that are on the disk and are no blob yet. Whoever has one discards it in the
// end; what a crash leaves of it is removed when the store is opened.
type Staged struct {
	store  *Store
	path   string
	digest registry.Digest
	size   int64
}

// Stage writes what a reader has to the disk while it is hashed, piece by piece: bytes of which
// nothing is known yet take no memory. It is not durable before Keep.
func (s *Store) Stage(ctx context.Context, r io.Reader) (*Staged, error) {
	f, err := os.CreateTemp(s.dir, durable.Unfinished+"*")
	if err != nil {
		return nil, fmt.Errorf("stage a blob: %w: %w", storage.ErrUnwritable, err)
	}
	b := &Staged{store: s, path: f.Name()}
	b.digest, b.size, err = hashTo(ctx, f, r)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, b.Discard())
	}
	return b, nil
}

// hashTo copies a reader and hashes it. Between pieces it looks at ctx.
func hashTo(ctx context.Context, w io.Writer, r io.Reader) (d registry.Digest, size int64, err error) {
	sum := sha256.New()
	piece := make([]byte, 128<<10)
	for {
		n, err := r.Read(piece)
		sum.Write(piece[:n])
		size += int64(n)
		if _, err := w.Write(piece[:n]); err != nil {
			return "", 0, fmt.Errorf("%w: %w", storage.ErrUnwritable, err)
		}
		switch {
		case err == io.EOF:
			return registry.Digest("sha256:" + hex.EncodeToString(sum.Sum(nil))), size, nil
		case err != nil:
			return "", 0, err
		case ctx.Err() != nil:
			return "", 0, ctx.Err()
		}
	}
}

// Digest is the digest of the bytes.
func (b *Staged) Digest() registry.Digest { return b.digest }

// Size is how many there are.
func (b *Staged) Size() int64 { return b.size }

// Bytes reads them, and makes sure that they are those that came.
func (b *Staged) Bytes() ([]byte, error) {
	raw, err := os.ReadFile(b.path)
	if err == nil && registry.DigestOf(raw) != b.digest {
		err = damaged(b.path, b.digest)
	}
	return raw, err
}

// Keep makes a blob of them, durable before it returns. If there is one, nothing is written.
func (b *Staged) Keep() error {
	path, err := b.store.path(b.digest)
	if err != nil {
		return err
	}
	if _, err = os.Stat(path); err == nil {
		err = durable.SyncNames(b.store.dir, path)
	} else {
		err = durable.Adopt(b.store.dir, b.path, path)
	}
	if err != nil {
		return fmt.Errorf("store blob %s: %w: %w", b.digest, storage.ErrUnwritable, err)
	}
	return nil
}

// Discard removes them, unless they were kept.
func (b *Staged) Discard() error {
	if err := os.Remove(b.path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
