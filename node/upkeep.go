package node

import (
	"context"
	"log/slog"
	"time"

	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/internal/budget"
	"github.com/agora-host/agora/store/filestore"
)

// Upkeep makes the copies of what a running node keeps: backups, and the snapshots beside the stores.
type Upkeep struct {
	dir     string // of the data
	version string
	now     func() time.Time
	log     *slog.Logger
	desk    *control.Desk
	stores  stores
	files   *filestore.Store
	reserve *reserve
	places  *budget.Shared // of backups
	resting time.Duration  // see pace: how many times as long as copying works
	copying chan struct{}  // held while the stores are copied
}

func (u *Upkeep) beginCopy(ctx context.Context) error {
	select {
	case u.copying <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (u *Upkeep) endCopy() { <-u.copying }

// hold keeps copies from being made until release is called, and returns when the oldest that there is
// was made. held is false while one is made.
func (u *Upkeep) hold() (oldest time.Time, release func(), held bool, err error) {
	select {
	case u.copying <- struct{}{}:
	default:
		return oldest, nil, false, nil
	}
	if u.places.Used() == 0 {
		if oldest, err = oldestCopy(u.dir); err == nil {
			return oldest, u.endCopy, true, nil
		}
	}
	u.endCopy()
	return oldest, nil, false, err
}
