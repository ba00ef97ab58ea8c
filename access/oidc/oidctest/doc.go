// Package oidctest is a sign-in provider for tests, in the process of the test: the engine is
// zitadel's, people and faults are the test's own.
//
// It must not be imported by what is no test.
//
// A Provider is safe for concurrent use.
package oidctest
