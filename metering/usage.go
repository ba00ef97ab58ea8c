package metering

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/agora-host/agora/abi"
)

var (
	// ErrBadQuery: the question cannot be answered as asked.
	ErrBadQuery = errors.New("the usage query is not valid")
	// ErrUnmetered: usage cannot be journaled, so no work is done.
	ErrUnmetered = errors.New("usage cannot be recorded")
)

// Tags say who is responsible for usage, and what caused it.
type Tags struct {
	App         string `json:"app"`
	Release     int    `json:"release"`
	Tier        string `json:"tier"`
	CostCenter  string `json:"cost_center"`
	Team        string `json:"team"`
	Owner       string `json:"owner"`
	Environment string `json:"environment"`
	Trigger     string `json:"trigger"` // one of the triggers below
}

// The triggers: what an invocation is the response to.
const (
	TriggerHTTP    = "http"    // a request to the app's address
	TriggerInvoke  = "invoke"  // a signed-in person, through console, API or command line
	TriggerCron    = "cron"    // the clock
	TriggerWebhook = "webhook" // another system
	TriggerEvent   = "event"   // another app
	TriggerNone    = ""        // nothing: usage of something that is kept, or prepared
)

// Durability is what an invocation's record outlives before its response ends.
type Durability string

// The classes of durability. An app's manifest names one.
const (
	DurabilityProcess Durability = "process" // the death of the process
	DurabilityPower   Durability = "power"   // the loss of power, too
	DurabilityNode    Durability = "node"    // the loss of the node and its disk, too; needs a store that nodes share
)

// Invocation is the work of one call, as it is billed.
type Invocation struct {
	ID string // unique; a hexadecimal one takes half the room
	Tags
	Fault string // abi.FaultKind, or FaultCutOff: "" for success
	Counts
	// Uses are what it did with capabilities, sorted as abi.Recorder sorts them.
	Uses []abi.Use
	// Durability is what its record has to outlive. "" is DurabilityPower.
	Durability Durability
}

// FaultCutOff is the fault of an invocation that the node did not live to see
// the end of. It is billed what its last checkpoint said.
const FaultCutOff = "cut_off"

// Counts are the meters that every invocation has. All of them only ever grow;
// at the largest number they stay.
type Counts struct {
	Instructions uint64 `json:"instructions"`  // executed, by metering/fuel's cost table
	GuestMicros  uint64 `json:"guest_us"`      // wall time of the guest's own work
	HostMicros   uint64 `json:"host_us"`       // wall time of its host calls that may have to wait
	MemoryKiBMS  uint64 `json:"memory_kib_ms"` // peak linear memory (KiB) × milliseconds of guest and host, rounded up
	BytesIn      uint64 `json:"bytes_in"`      // request body
	BytesOut     uint64 `json:"bytes_out"`     // response body
}

func (c *Counts) all() [6]*uint64 {
	return [...]*uint64{&c.Instructions, &c.GuestMicros, &c.HostMicros, &c.MemoryKiBMS, &c.BytesIn, &c.BytesOut}
}

// with joins two counts, number by number.
func (c Counts) with(o Counts, join func(a, b uint64) uint64) Counts {
	others := o.all()
	for i, n := range c.all() {
		*n = join(*n, *others[i])
	}
	return c
}

// plus adds, and stays at the largest number instead of beginning anew.
func plus(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

// minus returns what a has over b, which is nothing if it has less.
func minus(a, b uint64) uint64 { return a - min(a, b) }

func larger(a, b uint64) uint64 { return max(a, b) }

// Key says to whom and when a cell belongs.
type Key struct {
	Hour time.Time `json:"hour"` // UTC, truncated to the hour
	Tags
}

// Usage is what a key amounts to.
type Usage struct {
	Calls  uint64            `json:"calls"`
	Errors map[string]uint64 `json:"errors,omitempty"` // by fault kind; not all are failures, see abi.Failed
	Counts
	Uses Uses `json:"uses,omitempty"` // of capabilities
}

// Uses are what was done with capabilities: sorted, each capability, meter and subject once.
type Uses []abi.Use

// UnmarshalJSON reads uses under the names that meters have today.
func (u *Uses) UnmarshalJSON(raw []byte) error {
	var stored []abi.Use
	if err := json.Unmarshal(raw, &stored); err != nil {
		return err
	}
	*u = named(stored)
	return nil
}

// named gives stored uses the names that meters have today, in place. It is the one way into the
// program for uses that were stored: what knows the names of before comes no further.
func named(stored []abi.Use) []abi.Use {
	renamed := false
	for i := range stored {
		name := abi.StoredMeter(stored[i].Meter)
		renamed = renamed || name != stored[i].Meter
		stored[i].Meter = name
	}
	if !renamed {
		return stored
	}
	slices.SortFunc(stored, compareUses)
	return mergeSame(stored)
}

// Add sums two usages of different cells.
func (u Usage) Add(o Usage) Usage { return u.with(o, plus) }

// Max merges two cumulative usages of the same cell: the later knows at least as
// much.
func (u Usage) Max(o Usage) Usage { return u.with(o, larger) }

// Less returns what u has and o has not.
func (u Usage) Less(o Usage) Usage { return u.with(o, minus) }

func (u Usage) with(o Usage, join func(a, b uint64) uint64) Usage {
	return Usage{
		Calls: join(u.Calls, o.Calls), Errors: joinErrors(u.Errors, o.Errors, join),
		Counts: u.Counts.with(o.Counts, join), Uses: joinUses(u.Uses, o.Uses, join),
	}
}

func joinErrors(a, b map[string]uint64, join func(a, b uint64) uint64) map[string]uint64 {
	if len(a)+len(b) == 0 {
		return nil
	}
	joined := maps.Clone(a)
	if joined == nil {
		joined = map[string]uint64{}
	}
	for kind, n := range b {
		joined[kind] = join(joined[kind], n)
	}
	maps.DeleteFunc(joined, func(_ string, n uint64) bool { return n == 0 })
	if len(joined) == 0 {
		return nil
	}
	return joined
}

func compareUses(a, b abi.Use) int {
	return cmp.Or(cmp.Compare(a.Capability, b.Capability), cmp.Compare(a.Meter, b.Meter), cmp.Compare(a.Subject, b.Subject))
}

func joinUses(a, b []abi.Use, join func(a, b uint64) uint64) []abi.Use {
	if len(a)+len(b) == 0 {
		return nil
	}
	joined := make([]abi.Use, 0, len(a)+len(b))
	for len(a) > 0 || len(b) > 0 {
		var u abi.Use
		switch order := orderOf(a, b); {
		case order < 0:
			u, a = a[0], a[1:]
			u.N = join(u.N, 0)
		case order > 0:
			u, b = b[0], b[1:]
			u.N = join(0, u.N)
		default:
			u = a[0]
			u.N = join(u.N, b[0].N)
			a, b = a[1:], b[1:]
		}
		if u.N > 0 {
			joined = append(joined, u)
		}
	}
	return slices.Clip(joined)
}

func orderOf(a, b []abi.Use) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	return compareUses(a[0], b[0])
}

// Failed is the number of calls that failed; see abi.Failed.
func (u Usage) Failed() uint64 {
	var n uint64
	for kind, v := range u.Errors {
		if abi.Failed(kind) {
			n = plus(n, v)
		}
	}
	return n
}

// IsZero reports whether nothing was used.
func (u Usage) IsZero() bool {
	return u.Calls == 0 && u.Counts == Counts{} && len(u.Errors) == 0 && len(u.Uses) == 0
}

// Equal compares number by number.
func (u Usage) Equal(o Usage) bool {
	return u.Calls == o.Calls && u.Counts == o.Counts && maps.Equal(u.Errors, o.Errors) && slices.Equal(u.Uses, o.Uses)
}

// Saturated tells that a counter is at its end, and more was used than it says.
func (u Usage) Saturated() bool {
	full := u.Calls == math.MaxUint64
	for _, n := range u.all() {
		full = full || *n == math.MaxUint64
	}
	for _, n := range u.Errors {
		full = full || n == math.MaxUint64
	}
	return full || slices.ContainsFunc(u.Uses, func(use abi.Use) bool { return use.N == math.MaxUint64 })
}
