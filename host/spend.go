package host

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/storage"
)

// spendSpace is where among the apps' data it is kept what they spent on a day.
// It can be no app's name.
const spendSpace = ":spent"

// spendKept is how long a day is remembered. It is not read once it is over.
const spendKept = 72 * time.Hour

// SpentStore keeps what apps spent, among their data.
type SpentStore interface {
	Get(ctx context.Context, app, key string) ([]byte, error)
	Write(ctx context.Context, app string, w abi.KVWrite, quota abi.KVQuota) error
}

// spendLedger keeps what apps spent, each change durable and none lost.
type spendLedger struct{ kv SpentStore }

// Reserve adds an amount, unless more than the limit would then be spent:
// abi.ErrnoQuota.
func (l spendLedger) Reserve(ctx context.Context, app, day string, amount, limit int64) error {
	return l.change(ctx, app, day, func(spent int64) (int64, error) {
		if amount > limit-spent {
			return 0, abi.ErrnoQuota
		}
		return spent + amount, nil
	})
}

// Release takes an amount off again.
func (l spendLedger) Release(ctx context.Context, app, day string, amount int64) error {
	return l.change(ctx, app, day, func(spent int64) (int64, error) { return max(0, spent-amount), nil })
}

// change swaps a value for the next, and begins anew when another change was
// faster.
func (l spendLedger) change(ctx context.Context, app, day string, next func(int64) (int64, error)) error {
	name := day + "/" + app
	for {
		was, err := l.kv.Get(ctx, spendSpace, name)
		if err != nil && !errors.Is(err, abi.ErrnoNotFound) {
			return err
		}
		var spent int64
		if err == nil {
			if len(was) != 8 {
				return storage.ErrCorrupt
			}
			spent = int64(binary.BigEndian.Uint64(was))
		}
		if spent, err = next(spent); err != nil {
			return err
		}
		w := abi.KVWrite{Key: name, Value: binary.BigEndian.AppendUint64(nil, uint64(spent)), TTL: spendKept, Swap: true, Old: was}
		if err = l.kv.Write(ctx, spendSpace, w, abi.KVQuota{Bytes: math.MaxInt64, Keys: math.MaxInt64}); !errors.Is(err, abi.ErrnoConflict) {
			return err
		}
	}
}
