// Package governance is what people decide about releases: requests and the decisions about them,
// grants, and which release a tier serves.
//
// It owns the question that the policy is asked about a release, and the rule that a change which
// relies on a verdict is made only while the state is what was judged.
//
// Invariants:
//   - the policy is asked outside of a transaction, since asking takes time; what it judged is read
//     again inside, and a change that finds anything else asks again (Judge.Judged);
//   - no tier is routed to a release whose signature was not checked for that very change, which has
//     not all that it needs there, or whose key does not sign for its signer any more;
//   - a decision, the grants that it makes and the route that it opens are one change;
//   - what a reviewer is asked for comes from what a release lacks and from the requirements of a
//     verdict, never from its findings, which are for people.
//
// It must not know how a release is uploaded, nor what runs it: publishing imports it.
//
// A Service and a Judge are safe for concurrent use.
package governance
