package boltstore

import (
	"context"
	"errors"

	bolt "go.etcd.io/bbolt"
)

// bScrub holds zeros, for a moment: a file keeps what was deleted in pages that nothing leads to
// any more, until something else is written there. Scrubbing writes zeros into all of them.
const bScrub = "scrub"

const (
	fillerSize = 1900 // two fill a page of 4 KiB, which never has more of them, nor fewer
	maxFill    = 2048 // pages in one commit, which others wait for
	fillMore   = 16   // pages beyond those that are free: then the file grew, and none was left
	// fillPasses is how often all free pages are filled. What a reader still sees in one pass is
	// free in the next.
	fillPasses = 3
)

// Scrub overwrites what was deleted before, as far as no reader sees it still.
func (s *Store) Scrub(ctx context.Context) error { return scrub(ctx, s.db) }

// Scrub is Store.Scrub for the apps' data.
func (s *KV) Scrub(ctx context.Context) error { return scrub(ctx, s.db) }

// Scrub is Store.Scrub for what waits to be delivered.
func (q *Queue) Scrub(ctx context.Context) error { return scrub(ctx, q.db) }

func scrub(ctx context.Context, db *bolt.DB) (err error) {
	defer func() { err = errors.Join(err, unfill(db)) }()
	first := uint64(0)
	for range fillPasses {
		stats := db.Stats()
		for left := stats.FreePageN + stats.PendingPageN + fillMore; left > 0; left -= maxFill {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := 2 * uint64(min(left, maxFill))
			if err := fillPages(db, first, n); err != nil {
				return err
			}
			first += n
		}
	}
	return nil
}

// fillPages writes fillers from a number on. A transaction that needs more pages than are free
// uses every one of them, and every page is written as a whole.
func fillPages(db *bolt.DB, first, n uint64) error {
	zeros := make([]byte, fillerSize)
	return commit(db, func(w *writer) error {
		for i := first; i < first+n; i++ {
			k := []byte(number(i))
			if err := w.set(bScrub, k, seal(bScrub, k, zeros)); err != nil {
				return err
			}
		}
		return nil
	})
}

// unfill gives the pages back, also those that a killed process filled.
func unfill(db *bolt.DB) error {
	for {
		more := false
		err := commit(db, func(w *writer) error {
			var keys [][]byte
			c := w.tx.Bucket([]byte(bScrub)).Cursor()
			for k, _ := c.First(); k != nil && len(keys) < 2*maxFill; k, _ = c.Next() {
				keys = append(keys, k)
			}
			more = len(keys) == 2*maxFill
			for _, k := range keys {
				if err := w.remove(bScrub, k); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || !more {
			return err
		}
	}
}
