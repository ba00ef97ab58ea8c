// Package persons has a store refer to people by their ids, and whoever uses the store know
// them by their names.
//
// What is kept outlives names: an app's owner, a request's reviewer, a key's identity. Over wraps a
// store so that each name of a person is written as the id, and each id is read as the name that the
// person has now. A rename is one record's change, and is true everywhere at once.
//
// Invariants:
//   - no record names a person by a name but the person's own record, texts that people wrote, and
//     what was signed: the name in a certificate (registry.Signer.SignedAs) and the documents of
//     removals;
//   - a name that is no person's, such as "node", is kept as it is;
//   - a name that a person had leads to that person, so that what was written before there were ids
//     is read as rightly.
//
// It must not know an engine: each store keeps texts, and whom they lead to (access.Reader.Person).
// fields.go is the one list of where records refer to people.
//
// A store is as safe for concurrent use as the one below it.
package persons
