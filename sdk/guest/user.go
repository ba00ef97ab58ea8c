package guest

import "github.com/agora-host/agora/abi"

// User is who called the app.
type User struct {
	ID    string // at this app: the same in each request, and another one at each app
	Name  string // as the organisation knows the person; "" if the app is not told
	Via   string // "session", or "token" of a program that acts for the person
	Token string // a JSON Web Token that says the same to another service
}

// User returns who called the app, if its manifest asks for that: below [access], identity is
// "pseudonym" or "person". ok is false where no one is signed in: at an app that is public, at paths
// that the manifest opens, and if a trigger called. A caller cannot pretend: the node takes such headers
// out of requests.
func (r *Request) User() (u User, ok bool) {
	u = User{
		ID: r.HeaderValue(abi.UserIDHeader), Name: r.HeaderValue(abi.UserNameHeader),
		Via: r.HeaderValue(abi.UserViaHeader), Token: r.HeaderValue(abi.UserTokenHeader),
	}
	return u, u.ID != ""
}

// By is the request as it is if a user makes it, for an app's tests.
func (r *Request) By(u User) *Request {
	by := *r
	by.Header = append([]abi.Field(nil), r.Header...)
	for _, f := range []abi.Field{
		{Name: abi.UserIDHeader, Value: u.ID}, {Name: abi.UserNameHeader, Value: u.Name},
		{Name: abi.UserViaHeader, Value: u.Via}, {Name: abi.UserTokenHeader, Value: u.Token},
	} {
		if f.Value != "" {
			by.Header = append(by.Header, f)
		}
	}
	return &by
}
