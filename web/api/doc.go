// Package api owns the HTTP API below /api/v1: its routes, its documents, and
// the OpenAPI description that is made from the same table as the routes.
//
// Invariants: every operation that is not marked public needs an API token or a
// session secret in the Authorization header, and never takes a cookie; bodies
// are read up to a bound, strictly, and uncompressed; every error is a problem
// document with a remedy; a write that has an Idempotency-Key is served once.
//
// Services are what its operations ask of a node, by area.
//
// It must not know how a node does what it is asked. The handler is safe for
// concurrent use.
package api
