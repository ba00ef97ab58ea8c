package door

import "errors"

// Why a request was not served. Bodies and Conn.Hold return them, wrapped or not, and
// Options.Refuse is given them.
var (
	ErrBadBody  = errors.New("the request's body is malformed or was cut off")
	ErrTooSlow  = errors.New("the request's body arrives too slowly")
	ErrNoRoom   = errors.New("the node holds as many bytes of requests and responses as it may")
	ErrTooMany  = errors.New("this address has as many requests open as one address may")
	ErrHeaders  = errors.New("the request has too many headers")
	ErrMethod   = errors.New("no address of this node takes that method")
	ErrProtocol = errors.New("the node speaks HTTP/1.1, and HTTP/2 over TLS alone")
)

// Methods are what an address may take, as the Allow header lists them. Each address takes some.
const Methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
