package checked

import (
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"
)

// ErrEarlier: the file was written by an earlier agora. It is brought up to date
// when it is opened, and cannot be read in parts before.
var ErrEarlier = errors.New("an earlier agora wrote this, and the next start brings it up to date")

// Inspect reads a file that no process has open, as a whole, and then lets read read
// it again, record by record. It changes nothing. A *DamagedError lists what
// is damaged: it is not read then.
func Inspect(path string, s *Shape, read func(*File) error) error {
	o := &bolt.Options{ReadOnly: true, OpenFile: func(path string, _ int, _ os.FileMode) (*os.File, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		err = lock(f)
		if err == nil {
			err = damaged(path, verify(f, f, path, s))
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	}}
	var db *bolt.DB
	err := guard(func() (err error) {
		db, err = bolt.Open(path, 0o600, o)
		return err
	})
	if d, ok := errors.AsType[*DamagedError](err); ok {
		return d
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	err = guard(func() error {
		return db.View(func(tx *bolt.Tx) error {
			for _, b := range s.buckets() {
				if tx.Bucket([]byte(b)) == nil {
					return fmt.Errorf("%s: %w", path, ErrEarlier)
				}
			}
			return nil
		})
	})
	if err == nil {
		err = read(&File{db, s})
	}
	return errors.Join(err, db.Close())
}
