// Command guestbook keeps what people write: an app with state, in the kv
// capability, of which the sandbox allows a little without a reviewer. It must not trust what people
// write: everything shown is escaped. An instance serves one request.
package main
