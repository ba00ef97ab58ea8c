package host

import (
	"context"
	"time"

	"github.com/agora-host/agora/abi"
)

// SetProgramBudget changes how much the programs in memory may keep.
func (h *Host) SetProgramBudget(n int64) { h.programs.budget = n }

// LoadedPrograms is how many programs are in memory.
func (h *Host) LoadedPrograms() int { return h.programs.loadedCount() }

// Snapshot makes a snapshot now.
func (h *Host) Snapshot(ctx context.Context) error { return h.snapshot(ctx) }

// SetApp writes an app's own data.
func (h *Host) SetApp(ctx context.Context, app, key, value string) error {
	return h.kv.Write(ctx, app, abi.KVWrite{Key: key, Value: []byte(value)}, abi.KVQuota{Bytes: 1 << 30, Keys: 1 << 20})
}

// GetApp reads an app's own data.
func (h *Host) GetApp(ctx context.Context, app, key string) (string, error) {
	value, err := h.kv.Get(ctx, app, key)
	return string(value), err
}

// PutFile writes one of an app's larger values.
func (h *Host) PutFile(ctx context.Context, app, name string, b []byte) error {
	return h.files.Put(ctx, app, name, b, abi.KVQuota{Bytes: 1 << 30, Keys: 1 << 20})
}

// GetFile reads one of an app's larger values.
func (h *Host) GetFile(ctx context.Context, app, name string) ([]byte, error) {
	return h.files.Get(ctx, app, name, 0, 1<<30)
}

// StoreFiles are the names of the files that change in place.
func StoreFiles() (names []string) {
	for _, s := range storeFiles {
		names = append(names, s.name)
	}
	return names
}

// Wake makes the node look at the clock.
func (h *Host) Wake() { h.dispatcher.Wake() }

// SetPace changes how many times as long as it works a copy rests.
func (h *Host) SetPace(times int) { h.resting = time.Duration(times) }

// NodeID is nodeID.
var NodeID = nodeID
