package node

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/access/oidc"
	"github.com/agora-host/agora/control/people"
	"github.com/agora-host/agora/internal/calm"
)

// signIn is how people and jobs come in with what others say of them.
type signIn struct {
	people.SignInOptions
	providers []*oidc.Provider
	workloads *oidc.Workloads
}

// openSignIn reads at which providers people sign in, and whose jobs get tokens. None of them is asked for
// anything: the node starts with every one down.
func (o Options) openSignIn() (signIn, error) {
	s := signIn{workloads: oidc.NewWorkloads(nil, oidc.Options{})}
	if o.SignIn == "" {
		return s, nil
	}
	f, err := oidc.Load(o.SignIn)
	if err != nil {
		return s, err
	}
	s.SignInOptions = people.SignInOptions{Rules: f.Rules, Contact: f.Contact, Workloads: f.Workloads}
	s.workloads = oidc.NewWorkloads(f.Workloads, oidc.Options{Now: o.Now})
	for _, c := range f.Providers {
		p, err := oidc.New(c, oidc.Options{Now: o.Now})
		if err != nil {
			return s, err
		}
		s.providers, s.Providers = append(s.providers, p), append(s.Providers, p)
	}
	return s, nil
}

// FreshWithProviders as Options.FreshSignIn is access.FreshByDefault where people sign in at a provider, and
// otherwise 0: with links alone they depend on an operator for each proof.
const FreshWithProviders time.Duration = -1

// checkFresh returns an error unless FreshSignIn can be that.
func (o Options) checkFresh() error {
	if o.FreshSignIn == FreshWithProviders {
		return nil
	}
	return access.CheckFresh(o.FreshSignIn)
}

// fresh is how long ago a person may have signed in for what asks for a fresh sign-in.
func (s signIn) fresh(said time.Duration) time.Duration {
	switch {
	case said != FreshWithProviders:
		return said
	case len(s.providers) == 0:
		return 0
	}
	return access.FreshByDefault
}

// check asks all providers and issuers at once, and makes a line of the doctor's report for each.
func (s signIn) check(ctx context.Context, watch *calm.Watch) []Check {
	var asked sync.WaitGroup
	var lines []*Check
	ask := func(p *oidc.Provider, line Check, remedy abi.Remedy) {
		lines = append(lines, &line)
		line.Detail = "it was not asked; see the node's log"
		watch.Go(&asked, "doctor", func() {
			if err := p.Check(ctx); err != nil {
				line.Detail, line.Remedy = err.Error(), remedy
				return
			}
			line.OK, line.Detail = true, "the provider responds"
		})
	}
	for _, p := range s.providers {
		ask(p, Check{Name: "sign-in at " + p.Name()}, abi.Remedy{
			Summary:  "Everyone who is signed in stays so. See to the provider, or to the way there; until then people come in with one-time links.",
			Commands: []string{"agora users invite USER"},
		})
	}
	issuers := s.workloads.Issuers()
	for _, issuer := range slices.Sorted(maps.Keys(issuers)) {
		ask(issuers[issuer], Check{Name: "tokens for jobs of " + issuer}, abi.Remedy{
			Summary: "Jobs of this CI get no tokens of the node until it responds. See to the issuer's address in the file of --sign-in, or to the way there.",
		})
	}
	asked.Wait()
	all := make([]Check, len(lines))
	for i, line := range lines {
		all[i] = *line
	}
	return all
}
