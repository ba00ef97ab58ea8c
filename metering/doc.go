// Package metering owns what was used: counters per app, release, tier, owner,
// team, cost center, environment, trigger and hour, the journal that makes a count
// survive the process and the loss of power, the rules by which a Store accounts,
// and the reports made from them.
//
// Invariants:
//   - an invocation is journaled, durable, counted and only then released, in this
//     order, and counted once;
//   - what is in the store is in a journal: cells never exceed it;
//   - cells are cumulative per node and epoch and merged by maximum, so that a
//     repeated, late or reordered flush changes nothing;
//   - what releases did is a projection of cells, made where a cell is stored;
//   - a sealed hour never changes: what becomes known later is an adjustment;
//   - journals = cells = sealed hours + adjustments + open hours, and Reconcile
//     says so;
//   - where usage cannot be journaled, nothing is acknowledged.
//
// It must not know how work is done, only what it amounted to.
//
// A Meter joins its parts and brings counts to the store. writer journals and
// counts, and holds the epochs that are not in the store for good; archive reads
// and keeps journals that are written no more; recovery is what earlier processes
// left; auditor compares journals and store.
//
// A Meter is safe for concurrent use.
package metering
