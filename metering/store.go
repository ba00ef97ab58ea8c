package metering

import (
	"context"
	"slices"
	"time"

	"github.com/agora-host/agora/abi"
)

// Cell is the cumulative usage of one key in one epoch of a node.
type Cell struct {
	Node  string `json:"node"`
	Epoch uint64 `json:"epoch"`
	Key
	Usage
	// Times say when each of its uses was, by the use with N zero: in a flush alone, for what a
	// store makes of it. They are no part of what is kept.
	Times map[abi.Use]Span `json:"-"`
}

// Flush is what a node says of one epoch.
type Flush struct {
	Node  string
	Epoch uint64
	Cells []Cell    // of this node and epoch
	Until time.Time // a full hour: no cell before it will grow any more
	Ended bool      // no cell will
	Lost  bool      // its journal is gone: what was not flushed before cannot be proven
}

// Epoch is one life of a node's journal. A node never uses a number twice.
type Epoch struct {
	Node   string    `json:"node"`
	Number uint64    `json:"number"`
	Until  time.Time `json:"until"` // see Flush
	Ended  bool      `json:"ended"`
	Lost   bool      `json:"lost,omitempty"`
}

// Hour is a row of an hour that is sealed: the sum over all nodes and epochs, as
// it was then. It never changes.
type Hour struct {
	Key
	Usage
}

// Adjustment is usage of a sealed hour that became known later. It belongs to
// the period in which it was posted, and says where it comes from.
type Adjustment struct {
	Posted time.Time `json:"posted"` // an hour that was open then
	Node   string    `json:"node"`
	Epoch  uint64    `json:"epoch"`
	Key              // with the hour in which it was used
	Usage
}

// Ledger is what a store knows of a span of time: for the hours before Sealed,
// rows and adjustments, for those since then, cells. Nothing is in it twice.
type Ledger struct {
	Sealed      time.Time // the first hour that is open
	Hours       []Hour
	Adjustments []Adjustment // by when they were posted
	Cells       []Cell
}

// Store keeps what was used, beyond the journals. It is shared by all nodes. What it
// has to do is said here; the rules of it that do not depend on how something is kept
// are in ledger.go.
type Store interface {
	// BeginEpoch returns a number that the node has never used: larger than all
	// before, and at least atLeast. It is durable.
	BeginEpoch(ctx context.Context, node string, atLeast uint64) (uint64, error)
	// Merge makes every counter the maximum of what is stored and what is given, in
	// one atomic and durable change with Until and Ended, which never go back. Doing
	// it again, late or in another order changes nothing. What is new to an hour
	// that is sealed becomes an adjustment, posted in the first hour that is open. An
	// epoch that was not begun here is begun. Where what releases did is kept, too, what
	// is new of a cell (see Cell.Did) is added to it in the same change.
	Merge(ctx context.Context, f Flush) error
	// Seal makes rows of all hours before until, as far as no epoch can add to them,
	// and returns the first hour that is open. It seals all of them or fewer.
	Seal(ctx context.Context, until time.Time) (time.Time, error)
	// Ledger reads from <= hour < to, of one app if app is not "", in no particular
	// order and at one moment.
	Ledger(ctx context.Context, app string, from, to time.Time) (Ledger, error)
	// Days is Ledger, but for the rows, which it tells each instead, and which are good
	// until that returns; and of each day (UTC) that lies within the span and is
	// sealed as a whole, the hours of a set of tags are one row, at the day's
	// beginning. It is what reports over long spans are made of.
	Days(ctx context.Context, app string, from, to time.Time, each func(*Hour)) (Ledger, error)
	// Cells reads all cells of an epoch, also those of sealed hours.
	Cells(ctx context.Context, node string, epoch uint64) ([]Cell, error)
	// Epochs lists all of them by node and number.
	Epochs(ctx context.Context) ([]Epoch, error)
	// Balance compares, at one moment, all cells with the rows and adjustments that
	// were made of them. It returns both sums and each hour in which they differ.
	Balance(ctx context.Context) (Balance, error)
}

// Balance is a store's account of itself.
type Balance struct {
	Sealed      time.Time  `json:"sealed"`      // the first hour that is open
	Cells       Usage      `json:"cells"`       // all
	Open        Usage      `json:"open"`        // of them, those of open hours
	Hours       Usage      `json:"hours"`       // rows
	Adjustments Usage      `json:"adjustments"` // lines
	Differ      []HourDiff `json:"differ,omitempty"`
}

// HourDiff is an hour whose sealed rows and adjustments are not its cells.
type HourDiff struct {
	Hour  time.Time `json:"hour"`
	Cells Usage     `json:"cells"`
	Owed  Usage     `json:"owed"` // rows and adjustments
}

// CompareHours returns the hours in which two sums differ, oldest first.
func CompareHours(cells, owed map[time.Time]Usage) []HourDiff {
	var differ []HourDiff
	for h, u := range cells {
		if !u.Equal(owed[h]) {
			differ = append(differ, HourDiff{Hour: h, Cells: u, Owed: owed[h]})
		}
	}
	for h, u := range owed {
		if _, both := cells[h]; !both && !u.IsZero() {
			differ = append(differ, HourDiff{Hour: h, Owed: u})
		}
	}
	slices.SortFunc(differ, func(a, b HourDiff) int { return a.Hour.Compare(b.Hour) })
	return differ
}
