package abi

import "time"

// StreamModule is the import module by which an abi/v1 app sends its response
// piece by piece, instead of all at once as the result of app_handle_v1. Like
// WASI it is a baseline that every app has, not a capability: it touches nothing
// that the response would not. Its functions have the shape of a capability's:
//
//	start: a response frame -> empty. Status and headers go out, and its body
//	       as the first piece. An app does it once.
//	write: bytes -> empty. It returns when they are on their way to the caller,
//	       and waits while the caller does not take them.
//
// An app that started returns 0 from app_handle_v1. There is no errno for a
// caller that left or a limit that is reached: the app is stopped.
const StreamModule = "app:stream/v1"

// The functions of StreamModule.
const (
	StreamStart = "start"
	StreamWrite = "write"
)

// A WASI command streams by its headers: when one of these is in its response,
// what it prints goes out as it is printed.
const (
	// UnbufferedHeader with the value "no" is the custom of other servers too. It
	// is for the node and does not go out.
	UnbufferedHeader = "X-Accel-Buffering"
	// EventStream is the content type of server-sent events.
	EventStream = "text/event-stream"
)

// Stream is where the node sends a response that its app streams.
type Stream interface {
	// Start takes status and headers. The body of r is the first piece.
	Start(r Response, deadline time.Time) error
	// Write takes the next piece. It returns when the piece is on its way, or an
	// error when the caller has not taken it before the deadline or is gone. p is
	// valid only during the call.
	Write(p []byte, deadline time.Time) error
}
