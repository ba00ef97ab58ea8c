package abi

// The headers by which an app sees who calls it, if its manifest asks for that. They come from the
// node alone, like all that begin with NodeHeaderPrefix: a request without them is of nobody that
// the node vouches for.
const (
	// UserIDHeader is the person at this app: the same in each request, another one at each app.
	UserIDHeader = "Agora-User-Id"
	// UserNameHeader is the name under which the organisation knows the person, if the app is told it.
	UserNameHeader = "Agora-User-Name"
	// UserViaHeader is how the request came: "session" of the person's browser, or "token" of a
	// program that acts for the person.
	UserViaHeader = "Agora-User-Via"
	// UserTokenHeader is a JSON Web Token that says the same to whoever the app passes it on to.
	UserTokenHeader = "Agora-User-Token"
)
