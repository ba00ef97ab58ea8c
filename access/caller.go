package access

// Disclosure is how much an app is told of the people who call it.
type Disclosure string

// What an app is told of who calls it.
const (
	DiscloseNothing   Disclosure = ""
	DisclosePseudonym Disclosure = "pseudonym" // an id of the person at this app alone
	DisclosePerson    Disclosure = "person"    // that, and the person's name
)

// At returns what an app is told of a person in a tier: what its release asks for, once a reviewer has let
// it in there. In the sandbox no reviewer has, and it is told the names of those alone whose app it is.
func (d Disclosure) At(reviewed bool, who Actor, on Resource) Disclosure {
	if d == DisclosePerson && !reviewed && !owns(who, on) {
		return DisclosePseudonym
	}
	return d
}

// Caller is what an app is told of who calls it.
type Caller struct {
	ID   string // of the person at this app, which links them to no other app
	Name string // "" if the app is not told
	Via  string // CallerSession or CallerToken
}

// How a request of a person comes to an app.
const (
	CallerSession = "session" // of the person's browser
	CallerToken   = "token"   // of a program that acts for the person
)

// CallerVia is how a request of this actor comes to an app.
func (a Actor) CallerVia() string {
	if a.Via == KindToken {
		return CallerToken
	}
	return CallerSession
}
