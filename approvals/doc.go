// Package approvals owns what people and policy decide: requests, decisions,
// grants, and the rule that nobody decides about what they own or asked for.
//
// Invariants:
//   - a request is decided once; a decided request never changes;
//   - a decision is made by a reviewer who is neither the app's owner nor the
//     requester;
//   - a request is bound to the digest of the release it is about; a grant says
//     which request allowed it;
//   - a revoked or expired grant allows nothing.
//
// It must not know how modules are stored or run. Policy evaluation is the
// Policy interface; approvals/rego implements it.
//
// Values are plain data; a Tx is used by one goroutine inside its transaction.
package approvals
