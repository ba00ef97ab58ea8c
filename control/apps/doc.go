// Package apps is what people see of apps and do to them as a whole: the catalogue and its search,
// what a release may do and did, lifecycle, host names, secrets, triggers and dead letters, retention
// and removal with their certificates, quotas, events, logs, samples, calls and usage.
//
// Each type is one area: Catalogue, Lifecycle, Keeper, Observer, Automation and Vault. A method named
// as an operation of the API asks first whether its actor may do it.
//
// Invariants:
//   - what a method shows is read in one View, so that the parts of a document fit each other; how much
//     an app keeps, its log and its samples are in other files, and are read before or after;
//   - an app and its releases are removed together with the certificate that says so, or not at all;
//   - a removal that has begun goes on until it is finished, whatever process it is in: the state says
//     how far it came, and each step of erasing can be repeated;
//   - an act that changes nothing else in the state, such as running a trigger, is recorded before it is
//     done;
//   - no method returns a secret's value.
//
// It must not know how a release comes about, how a request is decided or how an app runs: governance
// and publishing import it, and it reaches what runs apps through its own small interfaces.
//
// All types are safe for concurrent use.
package apps
