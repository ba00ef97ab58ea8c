// Package kv owns the host side of app:kv/v1: data that an app keeps between
// requests, up to a quota.
//
// Invariants: an app reaches its own keys only; keys are 1 to abi.MaxKVKey bytes;
// what was set was made durable before the call returned. It must not know how
// a store keeps data, nor what the data means. A bound link is safe for
// concurrent use.
package kv
