package checked

import (
	"context"
	"errors"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"
)

// Lock keeps other processes out of a file that this one does not open,
// until unlock. It fails if one has it open.
func Lock(path string) (unlock func() error, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}

// CopyFunc takes a copy of a file of size bytes.
type CopyFunc func(size int64, write func(io.Writer) error) error

// Copy tells take how long the file is as it is at this moment, and gives it what
// writes the copy. Others may go on; what they free is kept until take returns.
func (f *File) Copy(ctx context.Context, take CopyFunc) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return guard(func() error {
		return f.db.View(func(tx *bolt.Tx) error {
			return take(tx.Size(), func(w io.Writer) error {
				_, err := tx.WriteTo(w)
				return err
			})
		})
	})
}
