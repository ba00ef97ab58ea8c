package node

import (
	"github.com/agora-host/agora/access/oidc"
	"github.com/agora-host/agora/control/people"
)

// openSignIn reads at which providers people sign in. None of them is asked for anything: the node
// starts with every provider down.
func (o Options) openSignIn() (people.SignInOptions, error) {
	if o.SignIn == "" {
		return people.SignInOptions{}, nil
	}
	f, err := oidc.Load(o.SignIn)
	if err != nil {
		return people.SignInOptions{}, err
	}
	s := people.SignInOptions{Rules: f.Rules, Contact: f.Contact}
	for _, c := range f.Providers {
		p, err := oidc.New(c, oidc.Options{Now: o.Now})
		if err != nil {
			return s, err
		}
		s.Providers = append(s.Providers, p)
	}
	return s, nil
}
