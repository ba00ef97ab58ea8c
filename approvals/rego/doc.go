// Package rego judges subjects with Rego rules; it is the one importer of OPA.
//
// The rules are text: the embedded ones in rules/, and whatever an operator adds
// in a directory. They define the sets data.agora.findings, data.agora.requires and data.agora.stages
// over the input document approvals.Subject and the data of data.json, which also says which
// releases the grants of each tier reach.
//
// Invariants:
//   - rules are compiled strictly, with an allow-list of built-in functions: no
//     network, no clock of their own, no randomness, nothing that explodes;
//   - an evaluation has a deadline, and one that fails refuses (approvals.ErrPolicy);
//   - the same subject gives the same findings in the same order.
//
// It must not know how a subject came about or what follows from a finding.
//
// A Policy is immutable and safe for concurrent use.
package rego
