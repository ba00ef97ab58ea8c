package abi

import "strings"

// ServiceDomain ends the name of every service account, and of no person: a name says by itself what
// kind of actor it is of, wherever it stands.
const ServiceDomain = "@service-account"

// Behalf says which person is behind an actor that is not a person at work. Both are empty for a
// person, in person or with a token of theirs; at most one is set.
type Behalf struct {
	// Sponsor is the person who answers for the actor, which is a service account.
	Sponsor string `json:"sponsor,omitempty"`
	// Automation is the name of what acts on behalf of the actor, who is a person: an assistant or a
	// pipeline.
	Automation string `json:"automation,omitempty"`
}

// InPerson reports whether a person acts, and nothing else on their behalf.
func (b Behalf) InPerson() bool { return b == Behalf{} }

// Name names an actor for people: "ada@example.com", "Claude for ada@example.com" or "deploy (service
// account of ada@example.com)".
func (b Behalf) Name(actor string) string {
	short, service := strings.CutSuffix(actor, ServiceDomain)
	switch {
	case b.Automation != "":
		return b.Automation + " for " + actor
	case b.Sponsor != "":
		return short + " (service account of " + b.Sponsor + ")"
	case service: // of what was noted without the sponsor
		return short + " (service account)"
	}
	return actor
}
