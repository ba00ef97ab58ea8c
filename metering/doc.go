// Package metering owns what was used: counters per app, release, tier, cost
// center and hour, the journal that makes a count survive the process, and the
// reports made from them.
//
// Invariants:
//   - an invocation is journaled before it is counted, and counted once;
//   - cells are cumulative per epoch and merged by maximum, so that a repeated
//     or late flush changes nothing;
//   - a report is the sum over epochs, and every surface shows the same report.
//
// It must not know how work is done, only what it amounted to.
//
// A Meter is safe for concurrent use.
package metering
