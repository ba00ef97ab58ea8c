// Command guestbook keeps what people write: an app with state, in the kv
// capability, which a reviewer has to grant. It must not trust what people
// write: everything shown is escaped. An instance serves one request.
package main
