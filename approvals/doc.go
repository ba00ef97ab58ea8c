// Package approvals owns what people and policy decide: requests, decisions,
// grants, and the rule that no one decides about what they own or asked for.
//
// Invariants:
//   - a request is decided once; a decided request never changes;
//   - a decision is made by a reviewer who is neither the app's owner nor the
//     requester;
//   - a request is about one release and the digest of its module, and never
//     about another; a grant says which request allowed it and which release was
//     reviewed;
//   - a grant reaches the release that was reviewed, and others only by the rule
//     of its tier (Reach), which is the operator's; Rights is the one place that
//     decides what a release has;
//   - bytes that a reviewer rejected are reached by no rule;
//   - a revoked or expired grant allows nothing.
//
// It must not know how modules are stored or run. Policy evaluation is the
// Policy interface; approvals/rego implements it.
//
// Values are plain data; a Tx is used by one goroutine inside its transaction.
package approvals
