package checked

import (
	"context"
	"encoding/binary"
	"errors"
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
func (f *File) Scrub(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, f.unfill()) }()
	first := uint64(0)
	for range fillPasses {
		stats := f.db.Stats()
		for left := stats.FreePageN + stats.PendingPageN + fillMore; left > 0; left -= maxFill {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := 2 * uint64(min(left, maxFill))
			if err := f.fillPages(first, n); err != nil {
				return err
			}
			first += n
		}
	}
	return nil
}

// fillPages writes fillers from a number on. A transaction that needs more pages than are free
// uses every one of them, and every page is written as a whole.
func (f *File) fillPages(first, n uint64) error {
	zeros := make([]byte, fillerSize)
	return f.Commit(func(w *Writer) error {
		for i := first; i < first+n; i++ {
			k := binary.BigEndian.AppendUint64(nil, i)
			if err := w.Set(bScrub, k, Seal(bScrub, k, zeros)); err != nil {
				return err
			}
		}
		return nil
	})
}

// unfill gives the pages back, also those that a killed process filled.
func (f *File) unfill() error {
	for {
		more := false
		err := f.Commit(func(w *Writer) error {
			var keys [][]byte
			for k := range w.From(bScrub, nil) {
				if keys = append(keys, k); len(keys) == 2*maxFill {
					break
				}
			}
			more = len(keys) == 2*maxFill
			for _, k := range keys {
				if err := w.Remove(bScrub, k); err != nil {
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
