// Package blob owns the host side of app:blob/v1: larger values that an app keeps
// between requests, up to a quota.
//
// Invariants: an app reaches its own blobs only; names are 1 to abi.MaxBlobName
// bytes; what was put was made durable before the call returned. It must not know
// how a store keeps data, nor what the data means. A bound link is safe for
// concurrent use.
package blob
