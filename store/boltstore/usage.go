package boltstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/store/boltstore/checked"
)

var _ metering.Store = (*Store)(nil)

var sealedKey = []byte("sealed")

// change is a transaction that makes no revision: usage is not a change that
// a person made.
func (s *Store) change(ctx context.Context, apply func(*writer) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return commit(s.file, apply)
}

func epochKey(node string, number_ uint64) []byte { return key(node, number(number_)) }

// BeginEpoch implements metering.Store.
func (s *Store) BeginEpoch(ctx context.Context, node string, atLeast uint64) (n uint64, err error) {
	err = s.change(ctx, func(w *writer) error {
		epochs, err := list[metering.Epoch](w.tx, bEpochs, within(node))
		if err != nil {
			return err
		}
		n = metering.NextEpoch(epochs, atLeast)
		return put(w, bEpochs, epochKey(node, n), metering.Epoch{Node: node, Number: n})
	})
	return n, err
}

// Merge implements metering.Store.
func (s *Store) Merge(ctx context.Context, f metering.Flush) error {
	return s.change(ctx, func(w *writer) error {
		if err := mergeEpoch(w, f); err != nil {
			return err
		}
		sealed, err := sealedUntil(w.tx)
		if err != nil {
			return err
		}
		for _, c := range f.Cells {
			c.Node, c.Epoch = f.Node, f.Epoch
			if err := mergeCell(w, c, sealed); err != nil {
				return err
			}
		}
		return nil
	})
}

func mergeEpoch(w *writer, f metering.Flush) error {
	k := epochKey(f.Node, f.Epoch)
	was, err := get[metering.Epoch](w.tx, bEpochs, k, os.ErrNotExist)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if e := was.With(f); e != was {
		return put(w, bEpochs, k, e)
	}
	return nil
}

func mergeCell(w *writer, c metering.Cell, sealed time.Time) error {
	k := usageKey(c)
	r, err := get[metering.StoredCell](w.tx, bUsage, k, os.ErrNotExist)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	before := r.Usage
	late, changed := r.Merge(c, sealed)
	if err == nil && !changed {
		return nil
	}
	if err := addDone(w, r.Cell, r.Did(before)); err != nil {
		return err
	}
	if !late.IsZero() {
		if err := adjust(w, c, late, sealed); err != nil {
			return err
		}
	}
	return put(w, bUsage, k, r)
}

// adjust adds to what is posted of a cell.
func adjust(w *writer, c metering.Cell, late metering.Usage, posted time.Time) error {
	k := key(number(uint64(posted.Unix()))+string(usageKey(c)), "")
	a, err := get[metering.Adjustment](w.tx, bAdjustments, k, os.ErrNotExist)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return put(w, bAdjustments, k, metering.Adjustment{Posted: posted, Node: c.Node, Epoch: c.Epoch, Key: c.Key, Usage: a.Usage.Add(late)})
}

// usageKey starts with the hour, so that a span of time is a range. Cells that
// were stored before there were nodes have no more than their tags of then.
func usageKey(c metering.Cell) []byte {
	parts := []string{number(uint64(c.Hour.Unix())), number(c.Epoch), c.App, fmt.Sprint(c.Release), c.Tier, c.CostCenter, c.Team}
	if c.Node != "" {
		parts = append(parts, c.Node, c.Owner, c.Environment, c.Trigger)
	}
	return key(parts...)
}

func hourKey(k metering.Key) []byte {
	return key(number(uint64(k.Hour.Unix())), k.App, fmt.Sprint(k.Release), k.Tier, k.CostCenter, k.Team, k.Owner, k.Environment, k.Trigger)
}

// sealedUntil is the first hour that is open; zero if none is sealed.
func sealedUntil(tx checked.Tx) (time.Time, error) {
	sealed, err := get[time.Time](tx, bMeta, sealedKey, os.ErrNotExist)
	if errors.Is(err, os.ErrNotExist) {
		return time.Time{}, nil
	}
	return sealed, err
}

// Seal implements metering.Store. It goes in steps, see metering.NextSeal.
func (s *Store) Seal(ctx context.Context, until time.Time) (sealed time.Time, err error) {
	for {
		var step time.Time
		err = s.view(ctx, func(tx *reader) error {
			sealed, step, err = nextSeal(tx.tx, until)
			return err
		})
		if err != nil || !step.After(sealed) {
			return sealed, err
		}
		err = s.change(ctx, func(w *writer) error {
			if sealed, step, err = nextSeal(w.tx, until); err != nil || !step.After(sealed) {
				return err
			}
			if err := sealHours(w, sealed, step); err != nil {
				return err
			}
			if err := sealDays(w, sealed, step); err != nil {
				return err
			}
			return put(w, bMeta, sealedKey, step)
		})
		if err != nil {
			return sealed, err
		}
	}
}

// nextSeal returns which hours are sealed, and up to which they can be next.
func nextSeal(tx checked.Tx, until time.Time) (sealed, step time.Time, err error) {
	if sealed, err = sealedUntil(tx); err != nil {
		return sealed, step, err
	}
	epochs, err := list[metering.Epoch](tx, bEpochs, nil)
	if err != nil {
		return sealed, step, err
	}
	first := sealed
	if first.IsZero() { // nothing is: from the first usage on
		first = firstHour(tx, bUsage)
	}
	return sealed, metering.NextSeal(first, metering.ClosedBy(epochs, until)), nil
}

// firstHour is the hour that the first key of a bucket begins with; zero if there is none.
func firstHour(tx checked.Tx, bucket string) time.Time {
	k, _ := tx.Seek(bucket, nil)
	if len(k) < 8 {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint64(k)), 0)
}

// sealHours makes rows of the cells of a span.
func sealHours(w *writer, from, to time.Time) error {
	var cells []metering.StoredCell
	err := span(context.Background(), w.tx, bUsage, from, to, func(c metering.StoredCell) { cells = append(cells, c) })
	if err != nil {
		return err
	}
	rows := metering.SealCells(cells)
	for _, r := range cells {
		if err := put(w, bUsage, usageKey(r.Cell), r); err != nil {
			return err
		}
	}
	for _, row := range rows {
		if err := putHour(w, row); err != nil {
			return err
		}
	}
	return nil
}

// span reads the records of a bucket whose keys begin with an hour in from <=
// hour < to.
func span[T any](ctx context.Context, tx checked.Tx, bucket string, from, to time.Time, each func(T)) error {
	return spanRaw(ctx, tx, bucket, from, to, func(k, raw []byte) error {
		v, err := parse[T](bucket, k, raw)
		if err == nil {
			each(v)
		}
		return err
	})
}

func spanRaw(ctx context.Context, tx checked.Tx, bucket string, from, to time.Time, each func(k, raw []byte) error) error {
	end := number(uint64(max(0, to.Unix())))
	for k, record := range tx.From(bucket, []byte(number(uint64(max(0, from.Unix()))))) {
		if string(k) >= end {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		raw, err := unseal(bucket, k, record)
		if err == nil {
			err = each(k, raw)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Ledger implements metering.Store.
func (s *Store) Ledger(ctx context.Context, app string, from, to time.Time) (metering.Ledger, error) {
	var hours []metering.Hour
	l, err := s.ledger(ctx, app, from, to, hourRows, func(h *metering.Hour) { hours = append(hours, *h) })
	l.Hours = hours
	return l, err
}

// rowsOf tells each row that is sealed in a span.
type rowsOf func(ctx context.Context, tx checked.Tx, from, to time.Time, each func(*metering.Hour)) error

// ledger reads a span; rows reads what of it is sealed.
func (s *Store) ledger(ctx context.Context, app string, from, to time.Time, rows rowsOf, each func(*metering.Hour)) (l metering.Ledger, err error) {
	of := func(k *metering.Key) bool { return app == "" || k.App == app }
	err = s.view(ctx, func(tx *reader) (err error) {
		if l.Sealed, err = sealedUntil(tx.tx); err != nil {
			return err
		}
		err = rows(ctx, tx.tx, from, to, func(h *metering.Hour) {
			if of(&h.Key) {
				each(h)
			}
		})
		if err != nil {
			return err
		}
		err = span(ctx, tx.tx, bAdjustments, from, to, func(a metering.Adjustment) {
			if of(&a.Key) {
				l.Adjustments = append(l.Adjustments, a)
			}
		})
		if err != nil {
			return err
		}
		if from.Before(l.Sealed) {
			from = l.Sealed
		}
		return span(ctx, tx.tx, bUsage, from, to, func(r metering.StoredCell) {
			if of(&r.Key) {
				l.Cells = append(l.Cells, r.Cell)
			}
		})
	})
	return l, err
}

// Cells implements metering.Store.
func (s *Store) Cells(ctx context.Context, node string, epoch uint64) (cells []metering.Cell, err error) {
	err = s.view(ctx, func(tx *reader) error {
		for k, record := range tx.tx.From(bUsage, nil) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if len(k) < 17 || string(k[9:17]) != number(epoch) {
				continue
			}
			r, err := decode[metering.StoredCell](bUsage, k, record)
			if err != nil {
				return err
			}
			if r.Node == node {
				cells = append(cells, r.Cell)
			}
		}
		return nil
	})
	return cells, err
}

// Epochs implements metering.Store.
func (s *Store) Epochs(ctx context.Context) (epochs []metering.Epoch, err error) {
	err = s.view(ctx, func(tx *reader) error {
		epochs, err = list[metering.Epoch](tx.tx, bEpochs, nil)
		return err
	})
	return epochs, err
}

// Balance implements metering.Store.
func (s *Store) Balance(ctx context.Context) (b metering.Balance, err error) {
	ever := time.Unix(1<<40, 0)
	err = s.view(ctx, func(tx *reader) error {
		sealed, err := sealedUntil(tx.tx)
		if err != nil {
			return err
		}
		audit := metering.NewAudit(sealed)
		err = span(ctx, tx.tx, bUsage, time.Time{}, ever, func(r metering.StoredCell) { audit.Cell(&r.Cell) })
		if err != nil {
			return err
		}
		if err := hourRows(ctx, tx.tx, time.Time{}, ever, audit.Row); err != nil {
			return err
		}
		err = span(ctx, tx.tx, bAdjustments, time.Time{}, ever, func(a metering.Adjustment) { audit.Adjustment(&a) })
		b = audit.Balance()
		return err
	})
	return b, err
}
