package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/access/oidc"
	"github.com/agora-host/agora/control/people"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/node/internal/telemetry"
	"github.com/agora-host/agora/state"
)

// signIn is how people and jobs come in with what others say of them: the file of --sign-in, as it was when it was last
// right. No provider is asked for anything when it is read: the node starts with every one down, and a new one keeps
// nobody waiting but who signs in there.
type signIn struct {
	path string // "": there is no such file
	now  func() time.Time
	log  *slog.Logger

	current atomic.Pointer[entrance]

	looking sync.Mutex // held while the file is looked at; guards applied
	applied bool       // everyone has the roles of what is in force

	mu     sync.Mutex // guards all below
	taken  time.Time  // when what is in force was taken into use
	broken string     // why what the file holds now is not
	looks  int        // how often in a row it was found so
}

// entrance is what a file says. Nothing in it changes.
type entrance struct {
	file      oidc.File
	providers []*oidc.Provider
	workloads *oidc.Workloads
}

// lookAtSignIn is how often the file is looked at, as the certificates' are.
const lookAtSignIn = 5 * time.Second

// openSignIn reads the file. One that is wrong is an error: a node that starts has no earlier one to go by.
func openSignIn(o Options, log *slog.Logger) (*signIn, error) {
	s := &signIn{path: o.SignIn, now: o.Now, log: log, taken: o.Now()}
	e := &entrance{workloads: oidc.NewWorkloads(nil, oidc.Options{})}
	if s.path != "" {
		f, err := oidc.Load(s.path)
		if err != nil {
			return nil, err
		}
		if e, err = e.next(f, o.Now); err != nil {
			return nil, err
		}
	}
	s.current.Store(e)
	return s, nil
}

// next makes what a file says. Providers and issuers about which it says the same as before stay, with what they know.
func (e *entrance) next(f oidc.File, now func() time.Time) (*entrance, error) {
	to := &entrance{file: f, workloads: e.workloads}
	if !reflect.DeepEqual(f.Workloads, e.file.Workloads) {
		to.workloads = oidc.NewWorkloads(f.Workloads, oidc.Options{Now: now})
	}
	for _, c := range f.Providers {
		same := slices.IndexFunc(e.file.Providers, func(was oidc.Config) bool { return reflect.DeepEqual(was, c) })
		if same >= 0 {
			to.providers = append(to.providers, e.providers[same])
			continue
		}
		p, err := oidc.New(c, oidc.Options{Now: now})
		if err != nil {
			return nil, err
		}
		to.providers = append(to.providers, p)
	}
	return to, nil
}

// forPeople is the entrance as those see it who let people in.
func (e *entrance) forPeople() people.Entrance {
	to := people.Entrance{Rules: e.file.Rules, Contact: e.file.Contact, Workloads: e.file.Workloads, Jobs: e.workloads}
	for _, p := range e.providers {
		to.Providers = append(to.Providers, p)
	}
	return to
}

// run looks at the file until ctx ends.
func (s *signIn) run(ctx context.Context, n *Node) {
	if s.path == "" {
		return
	}
	tick := time.NewTicker(cmp.Or(n.o.lookAtSignIn, lookAtSignIn))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.look(ctx, n.store, n.SignIns)
		}
	}
}

// look reads the file, and takes what it says into use, all at once, if it is right. Otherwise what was right last
// stays in force, and that is told when a second look finds the same: a file that is being written is right at the next.
func (s *signIn) look(ctx context.Context, store state.Store, signIns *people.SignIns) {
	s.looking.Lock()
	defer s.looking.Unlock()
	changed, err := s.take(ctx, store, signIns)
	if ctx.Err() != nil {
		return
	}
	if s.note(changed, err) {
		s.log.ErrorContext(ctx, "the sign-in file is not taken into use, and what it said before stays in force", "file", s.path, "err", err)
	}
	if changed {
		f := s.current.Load().file
		s.log.InfoContext(ctx, "the sign-in file was taken into use", "file", s.path, "providers", strings.Join(providerIDs(f), " "), "rules", len(f.Rules), "workloads", len(f.Workloads))
		s.applied = false
	}
	if s.applied {
		return
	}
	given, err := signIns.ApplyRules(ctx)
	if err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "not everyone has the roles yet that the sign-in file gives; it is tried again", "err", err)
	}
	s.applied = err == nil && given == 0
}

// note keeps what a look found, and reports whether it is to be told.
func (s *signIn) note(changed bool, err error) (tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if changed {
		s.taken = s.now()
	}
	switch {
	case err == nil:
		s.broken, s.looks = "", 0
	case err.Error() == s.broken:
		s.looks++
	default:
		s.broken, s.looks = err.Error(), 1
	}
	return s.looks == 2
}

// take puts what the file says in force, and reports whether that is something else.
func (s *signIn) take(ctx context.Context, store state.Store, signIns *people.SignIns) (changed bool, err error) {
	was := s.current.Load()
	f, err := oidc.Load(s.path)
	if err != nil || reflect.DeepEqual(f, was.file) {
		return false, err
	}
	e, err := was.next(f, s.now)
	if err != nil {
		return false, err
	}
	if err := store.View(ctx, func(tx state.Reader) error { return leavesWayIn(tx, f) }); err != nil {
		return false, err
	}
	s.current.Store(e)
	signIns.Replace(e.forPeople())
	return true, nil
}

// leavesWayIn returns an error if one-time links are switched off and no operator could come in by what a file says.
func leavesWayIn(tx state.Reader, f oidc.File) error {
	links, err := tx.Links()
	if err != nil || !links.Off {
		return err
	}
	err = access.OperatorComesIn(tx, func(a access.Account) bool {
		return slices.ContainsFunc(f.Providers, func(c oidc.Config) bool { return c.ID == a.Provider && c.Issuer == a.Issuer })
	})
	if errors.Is(err, access.ErrLastWayIn) {
		err = fmt.Errorf("one-time links are switched off, and with this file no operator could come in; run agora users links on, or keep a provider where an operator has signed in: %w", err)
	}
	return err
}

func providerIDs(f oidc.File) (ids []string) {
	for _, c := range f.Providers {
		ids = append(ids, c.ID)
	}
	return ids
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

// fresh returns how long ago a person may have signed in for what asks for a fresh sign-in, which hangs on whether
// people sign in at a provider now.
func (s *signIn) fresh(said time.Duration) func() time.Duration {
	return func() time.Duration {
		switch {
		case said != FreshWithProviders:
			return said
		case len(s.current.Load().providers) == 0:
			return 0
		}
		return access.FreshByDefault
	}
}

// trouble says why what the file holds is not in force, and since when what is; "" while it is.
func (s *signIn) trouble() (why string, taken time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.looks > 1 {
		why = s.broken
	}
	return why, s.taken
}

// measure writes the metrics; none without a file.
func (s *signIn) measure(p *telemetry.Page) {
	if s.path == "" {
		return
	}
	why, taken := s.trouble()
	trouble := 0.0
	if why != "" {
		trouble = 1
	}
	p.One("agora_sign_in_file_trouble", telemetry.Gauge, "1 while the sign-in file holds what is not taken into use", trouble)
	p.One("agora_sign_in_file_taken_timestamp_seconds", telemetry.Gauge, "when what the sign-in file says was taken into use, Unix time", float64(taken.Unix()))
}

// checkFile is the doctor's line about the file itself.
func (s *signIn) checkFile() Check {
	why, taken := s.trouble()
	since := taken.UTC().Format(time.RFC3339)
	if why == "" {
		return Check{Name: "sign-in file", OK: true, Detail: "what it says is in force since " + since}
	}
	return Check{Name: "sign-in file", Detail: fmt.Sprintf("it is not taken into use, and what it said before, since %s, stays in force: %s", since, strings.ReplaceAll(why, "\n", "; ")), Remedy: abi.Remedy{
		Summary: "Correct the file: the node takes it into use within seconds, without a start. It would not start with it as it is, unless only one-time links that are switched off are in the way. Without a node, agora access test reads the file.",
	}}
}

// check asks all providers and issuers at once, and makes a line of the doctor's report for each, and one for the file.
func (s *signIn) check(ctx context.Context, watch *calm.Watch) []Check {
	if s.path == "" {
		return nil
	}
	e := s.current.Load()
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
	for _, p := range e.providers {
		ask(p, Check{Name: "sign-in at " + p.Name()}, abi.Remedy{
			Summary:  "Everyone who is signed in stays so. See to the provider, or to the way there; until then people come in with one-time links.",
			Commands: []string{"agora users invite USER"},
		})
	}
	issuers := e.workloads.Issuers()
	for _, issuer := range slices.Sorted(maps.Keys(issuers)) {
		ask(issuers[issuer], Check{Name: "tokens for jobs of " + issuer}, abi.Remedy{
			Summary: "Jobs of this CI get no tokens of the node until it responds. See to the issuer's address in the file of --sign-in, or to the way there.",
		})
	}
	asked.Wait()
	all := []Check{s.checkFile()}
	for _, line := range lines {
		all = append(all, *line)
	}
	return all
}
