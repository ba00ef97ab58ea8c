package metering

import (
	"context"
	"errors"
	"maps"
	"time"
)

var (
	// ErrBadQuery: the question cannot be answered as asked.
	ErrBadQuery = errors.New("the usage query is not valid")
	// ErrUnmetered: usage cannot be journaled, so no work is done.
	ErrUnmetered = errors.New("usage cannot be recorded")
)

// Invocation is the work of one call, as it is billed.
type Invocation struct {
	App        string
	Release    int
	Tier       string
	CostCenter string
	Team       string
	At         time.Time // when it ended
	Fault      string    // abi.FaultKind: "" for success
	Counts
}

// Counts are the meters of one invocation. All of them only ever grow.
type Counts struct {
	Instructions uint64 `json:"instructions"`  // executed, by metering/fuel's cost table
	GuestMicros  uint64 `json:"guest_us"`      // wall time of the guest's own work
	HostMicros   uint64 `json:"host_us"`       // wall time of its host calls that may have to wait
	MemoryKiBMS  uint64 `json:"memory_kib_ms"` // peak linear memory (KiB) × milliseconds of guest and host, rounded up
	BytesIn      uint64 `json:"bytes_in"`      // request body
	BytesOut     uint64 `json:"bytes_out"`     // response body
}

// Add sums two counts.
func (c Counts) Add(o Counts) Counts {
	return Counts{
		Instructions: c.Instructions + o.Instructions,
		GuestMicros:  c.GuestMicros + o.GuestMicros,
		HostMicros:   c.HostMicros + o.HostMicros,
		MemoryKiBMS:  c.MemoryKiBMS + o.MemoryKiBMS,
		BytesIn:      c.BytesIn + o.BytesIn,
		BytesOut:     c.BytesOut + o.BytesOut,
	}
}

// Key says to whom and when a cell belongs.
type Key struct {
	Hour       time.Time `json:"hour"` // UTC, truncated to the hour
	App        string    `json:"app"`
	Release    int       `json:"release"`
	Tier       string    `json:"tier"`
	CostCenter string    `json:"cost_center"`
	Team       string    `json:"team"`
}

// Usage is what a key amounts to.
type Usage struct {
	Calls  uint64            `json:"calls"`
	Errors map[string]uint64 `json:"errors,omitempty"` // by fault kind
	Counts
}

// Max merges two cumulative usages of the same cell: later knows at least as much.
func (u Usage) Max(o Usage) Usage {
	errors := maps.Clone(u.Errors)
	for kind, n := range o.Errors {
		if errors == nil {
			errors = map[string]uint64{}
		}
		errors[kind] = max(errors[kind], n)
	}
	return Usage{
		Calls: max(u.Calls, o.Calls), Errors: errors,
		Counts: Counts{
			Instructions: max(u.Instructions, o.Instructions), GuestMicros: max(u.GuestMicros, o.GuestMicros), HostMicros: max(u.HostMicros, o.HostMicros),
			MemoryKiBMS: max(u.MemoryKiBMS, o.MemoryKiBMS), BytesIn: max(u.BytesIn, o.BytesIn), BytesOut: max(u.BytesOut, o.BytesOut),
		},
	}
}

// Cell is the cumulative usage of one key in one epoch of this node.
type Cell struct {
	Epoch uint64 `json:"epoch"`
	Key
	Usage
}

// Store keeps cells. Merge is idempotent: for each (epoch, key) every counter
// becomes the maximum of what is stored and what is given, in one atomic and
// durable change. Cells answers the cells with from <= Hour < to, of one app
// if app is not "", in no particular order.
type Store interface {
	MergeCells(ctx context.Context, cells []Cell) error
	Cells(ctx context.Context, app string, from, to time.Time) ([]Cell, error)
}

// Query asks for usage. Zero From and To mean the last 24 hours up to now.
type Query struct {
	App        string    // "" for all
	CostCenter string    // "" for all
	From, To   time.Time // half open
	By         []string  // any of "hour", "day", "app", "release", "tier", "cost_center", "team"; empty: one total
}

// Report answers a query. Rows are sorted by their group.
type Report struct {
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	By    []string  `json:"by"`
	Rows  []Row     `json:"rows"`
	Total Usage     `json:"total"`
}

// Row is the usage of one group.
type Row struct {
	Group map[string]string `json:"group"` // value for each word in By; hours in RFC 3339
	Usage
}
