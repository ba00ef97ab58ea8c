package node

import (
	"context"
	"sync"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access/oidc"
	"github.com/agora-host/agora/control/people"
	"github.com/agora-host/agora/internal/calm"
)

// providers are the sign-in providers of a node.
type providers []*oidc.Provider

// openSignIn reads at which providers people sign in. None of them is asked for anything: the node
// starts with every provider down.
func (o Options) openSignIn() (people.SignInOptions, providers, error) {
	if o.SignIn == "" {
		return people.SignInOptions{}, nil, nil
	}
	f, err := oidc.Load(o.SignIn)
	if err != nil {
		return people.SignInOptions{}, nil, err
	}
	s := people.SignInOptions{Rules: f.Rules, Contact: f.Contact, Workloads: f.Workloads}
	var all providers
	for _, c := range f.Providers {
		p, err := oidc.New(c, oidc.Options{Now: o.Now})
		if err != nil {
			return s, nil, err
		}
		all, s.Providers = append(all, p), append(s.Providers, p)
	}
	return s, all, nil
}

// check asks all providers at once, and makes a line of the doctor's report for each.
func (all providers) check(ctx context.Context, watch *calm.Watch) []Check {
	lines := make([]Check, len(all))
	var asked sync.WaitGroup
	for i, p := range all {
		lines[i] = Check{Name: "sign-in at " + p.Name(), Detail: "it was not asked; see the node's log"}
		watch.Go(&asked, "doctor", func() {
			err := p.Check(ctx)
			lines[i] = Check{Name: "sign-in at " + p.Name(), OK: err == nil, Detail: "the provider responds"}
			if err != nil {
				lines[i].Detail = err.Error()
				lines[i].Remedy = abi.Remedy{
					Summary:  "Everyone who is signed in stays so. See to the provider, or to the way there; until then people come in with one-time links.",
					Commands: []string{"agora users invite USER"},
				}
			}
		})
	}
	asked.Wait()
	return lines
}
