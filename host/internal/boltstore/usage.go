package boltstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/agora-host/agora/metering"
)

var _ metering.Store = (*Store)(nil)

// MergeCells stores cells by maximum. It makes no revision: usage is not a
// change that somebody made.
func (s *Store) MergeCells(ctx context.Context, cells []metering.Cell) error {
	if err := ctx.Err(); err != nil || len(cells) == 0 {
		return err
	}
	return commit(s.db, func(w *writer) error {
		for _, c := range cells {
			k := usageKey(c)
			old, err := get[metering.Cell](w.tx, bUsage, k, os.ErrNotExist)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			c.Usage = old.Usage.Max(c.Usage)
			if err := put(w, bUsage, k, c); err != nil {
				return err
			}
		}
		return nil
	})
}

// usageKey starts with the hour, so that a span of time is a range.
func usageKey(c metering.Cell) []byte {
	return key(number(uint64(c.Hour.Unix())), number(c.Epoch), c.App, fmt.Sprint(c.Release), c.Tier, c.CostCenter, c.Team)
}

// Cells reads a span of time.
func (s *Store) Cells(ctx context.Context, app string, from, to time.Time) ([]metering.Cell, error) {
	var cells []metering.Cell
	err := s.View(ctx, func(tx *Tx) error {
		c := tx.tx.Bucket([]byte(bUsage)).Cursor()
		end := number(uint64(max(0, to.Unix())))
		for k, record := c.Seek([]byte(number(uint64(max(0, from.Unix()))))); k != nil && string(k[:8]) < end; k, record = c.Next() {
			cell, err := decode[metering.Cell](bUsage, k, record)
			if err != nil {
				return err
			}
			if app == "" || cell.App == app {
				cells = append(cells, cell)
			}
		}
		return nil
	})
	return cells, err
}
