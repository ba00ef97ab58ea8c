// Package rate owns how often apps are called in a second, where that is bounded: by the quotas of
// the person and of the group that an app belongs to, and of the node.
//
// Each holder of a quota has one Bucket, however many apps it is for: tokens come into it at the
// rate of the limit, and a second's worth of them fit. A call takes a token of each of its app's
// buckets, or of none and is refused. A Table knows which buckets those are.
//
// Invariants:
//   - in no span of time are more calls admitted than the limit allows for its length, and a
//     second's worth;
//   - a steady demand is admitted at the limit, but for a millionth;
//   - a clock that goes back locks nobody out: five seconds later at most, tokens come again;
//   - a bucket outlives changes of the table in which its holder and its limit stay.
//
// One exception is left: a call that is refused by one bucket after it took from another gives that
// back. If the other became full in between, part of a token is given twice. Calls ask all buckets
// before they take from any, so that it takes a race to come there.
//
// The package must not know what is called. All is safe for concurrent use: Take takes no lock and
// allocates nothing, but for a refusal.
package rate
