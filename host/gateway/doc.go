// Package gateway is the HTTP front door of the apps: it finds the release
// behind a host name, turns the HTTP request into one frame, and one frame into
// the HTTP response.
//
// Invariants:
//   - a host name reaches an app by exact match or not at all;
//   - a request body is read only up to the limit of the release it is for;
//   - the platform's own cookies never reach an app, and an app's cookies never
//     leave its own origin;
//   - a response is written only after the invocation was metered; one that is
//     streamed ends only then, and breaks off if the app failed.
//
// It must not know how modules run, how apps are stored, or what an error looks
// like: Router and Options.WriteFault are given to it.
//
// A Gateway is safe for concurrent use and holds no state of its own.
package gateway
