package people

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

// Provider is a company's sign-in provider.
type Provider interface {
	// ID names it in addresses, and Name is what people call it.
	ID() string
	Name() string
	// Begin returns where a browser goes to sign in, to be led back to redirect, and what it keeps
	// meanwhile. With fresh, the person gives proof anew unless they did within that time.
	Begin(ctx context.Context, redirect string, fresh time.Duration) (address string, l access.Login, err error)
	// Finish takes what the browser brings back, and returns who signed in.
	Finish(ctx context.Context, l access.Login, redirect string, answer url.Values) (access.Assertion, error)
	// Ended reads a notice that a session there has ended, which anybody may send.
	Ended(ctx context.Context, notice string) (access.Ended, error)
	// EndSession returns where a browser ends its session there as well; "" if there is no such place.
	EndSession(returnTo string) string
}

// Entrance is how people and jobs come in with what others say of them. Nothing in it changes.
type Entrance struct {
	Providers []Provider
	Rules     []access.GroupRule
	// Workloads are the rules by which jobs of a CI get tokens, and Jobs verifies what these jobs bring.
	Workloads []access.WorkloadRule
	Jobs      WorkloadReader
	// Contact is whom people ask who have no role; "": the operators.
	Contact string
}

func (e Entrance) roleRules() access.RoleRules {
	rules := access.RoleRules{Rules: e.Rules}
	for _, p := range e.Providers {
		rules.Providers = append(rules.Providers, p.ID())
	}
	return rules
}

// SignIns let people in who sign in at a provider. They are safe for concurrent use.
type SignIns struct {
	people   *Service
	entrance atomic.Pointer[Entrance] // each act reads it once, where it needs more than one part of it
}

// NewSignIns makes SignIns.
func NewSignIns(people *Service, e Entrance) *SignIns {
	s := &SignIns{people: people}
	s.Replace(e)
	return s
}

// Replace puts another entrance in force. Sessions that began by the one before go on, and ApplyRules gives
// everyone the roles of the new one.
func (s *SignIns) Replace(e Entrance) { s.entrance.Store(&e) }

// Providers lists the providers, in the order in which they are offered.
func (s *SignIns) Providers() []control.SignInProvider {
	providers := s.entrance.Load().Providers
	all := make([]control.SignInProvider, len(providers))
	for i, p := range providers {
		all[i] = control.SignInProvider{ID: p.ID(), Name: p.Name()}
	}
	return all
}

func (s *SignIns) provider(id string) (Provider, error) {
	providers := s.entrance.Load().Providers
	i := slices.IndexFunc(providers, func(p Provider) bool { return p.ID() == id })
	if i < 0 {
		return nil, fmt.Errorf("sign-in provider %.60q: %w", id, access.ErrNoProvider)
	}
	return providers[i], nil
}

// callback is where a provider leads browsers back to. Each has an address of its own, so that what
// one of them sends is never taken for another's.
func (s *SignIns) callback(provider string) string {
	return s.people.consoleURL() + "/auth/" + provider + "/callback"
}

// BeginSignIn returns where a browser goes to sign in, and what it keeps meanwhile. With connect, the
// account is to become the actor's, who is signed in.
func (s *SignIns) BeginSignIn(ctx context.Context, provider, to string, connect bool) (address string, l access.Login, err error) {
	p, err := s.provider(provider)
	if err != nil {
		return "", l, err
	}
	if connect {
		actor, err := s.people.desk.Door(ctx, access.ManageAccounts)
		if err != nil {
			return "", l, err
		}
		l.Connect = actor.User
	}
	address, begun, err := p.Begin(ctx, s.callback(provider), 0)
	begun.To, begun.Connect = to, l.Connect
	return address, begun, err
}

// BeginAgain returns where the browser of the actor goes to sign in once more: the provider asks for proof, unless
// that was given within the half of what counts as fresh.
func (s *SignIns) BeginAgain(ctx context.Context, provider, to string) (address string, l access.Login, err error) {
	p, err := s.provider(provider)
	if err != nil {
		return "", l, err
	}
	actor, err := s.people.desk.Door(ctx, access.LookAround)
	if err != nil {
		return "", l, err
	}
	address, l, err = p.Begin(ctx, s.callback(provider), max(time.Second, s.people.fresh()/2))
	l.To, l.Again = to, actor.User
	return address, l, err
}

// again notes in the actor's session that the person gave proof once more.
func (s *SignIns) again(ctx context.Context, user string, who access.Assertion) error {
	actor, err := s.people.desk.Door(ctx, access.LookAround)
	if err != nil {
		return fmt.Errorf("%w: the session that this was for has ended", access.ErrUntrustedSignIn)
	}
	if actor.User != user || actor.Via != access.KindSession {
		return fmt.Errorf("%w: another person has signed in to the console here meanwhile", access.ErrUntrustedSignIn)
	}
	arrival := access.Arrive(who, s.Rules(), s.people.desk.Now())
	_, err = s.people.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		session, err := tx.CredentialByHash(actor.Credential)
		if err != nil {
			return err
		}
		known, err := tx.Account(who.Key())
		if err != nil && !errors.Is(err, access.ErrNotFound) {
			return err
		}
		if err != nil || known.User != user { // before anything of another person's is changed
			return access.SignInAgain(tx, session, access.User{}, time.Time{})
		}
		told, err := access.SignIn(tx, arrival)
		if err != nil {
			return err
		}
		tx.Emit("user.signed_in", "", told.User.Name, map[string]string{"provider": who.Provider})
		return errors.Join(tell(tx, told), access.SignInAgain(tx, session, told.User, who.ProvenAt(s.people.desk.Now())))
	})
	return err
}

// FinishSignIn takes what a browser brings back from a provider, and returns the secret of a new
// session; "" if an account was connected or the person signed in once more, and the session of the actor goes on.
func (s *SignIns) FinishSignIn(ctx context.Context, provider string, l access.Login, answer url.Values) (secret string, err error) {
	p, err := s.provider(provider)
	if err != nil {
		return "", err
	}
	who, err := p.Finish(ctx, l, s.callback(provider), answer)
	if err != nil {
		return "", err
	}
	if l.Again != "" {
		return "", s.again(ctx, l.Again, who)
	}
	if l.Connect != "" {
		return "", s.connect(ctx, l.Connect, who)
	}
	secret, hash := access.NewSecret(access.KindSession)
	arrival := access.Arrive(who, s.Rules(), s.people.desk.Now())
	_, err = s.people.desk.Update(ctx, "", func(tx state.Tx) error {
		told, err := access.SignIn(tx, arrival)
		if err != nil {
			return err
		}
		session := s.people.lives.Session(hash, told.User.Name, access.DeviceFrom(ctx), 0, s.people.desk.Now())
		session.Account, session.ProviderSession = told.Account.ID, access.SessionKey(who.Provider, who.Issuer, who.SessionID)
		session.Proven = who.ProvenAt(s.people.desk.Now())
		tx.As(told.User.Name)
		tell(tx, told)
		tx.Emit("user.signed_in", "", told.User.Name, map[string]string{"provider": who.Provider})
		if err := makeRoom(tx, access.KindSession, told.User.Name); err != nil {
			return err
		}
		return access.AddCredential(tx, session, s.people.desk.Now())
	})
	if err != nil {
		s.noteRefused(ctx, who, err)
		return "", err
	}
	return secret, nil
}

// connect makes an account the actor's, who has to be the one who began.
func (s *SignIns) connect(ctx context.Context, user string, who access.Assertion) error {
	actor, err := s.people.desk.May(ctx, access.ManageAccounts, access.Person(user))
	if err != nil || actor.Via != access.KindSession {
		return fmt.Errorf("%w: another person has signed in to the console here meanwhile; begin again in the settings", access.ErrUntrustedSignIn)
	}
	arrival := access.Arrive(who, s.Rules(), s.people.desk.Now())
	_, err = s.people.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		told, err := access.Connect(tx, user, arrival)
		if err != nil {
			return err
		}
		return tell(tx, told)
	})
	return err
}

// tell emits what a sign-in changed beside the session, and does what follows.
func tell(tx state.Tx, is access.Told) error {
	if is.NewUser || is.Roles {
		var roles []string
		for _, r := range slices.Concat(is.User.Roles, given(is.User)) {
			if !slices.Contains(roles, string(r)) {
				roles = append(roles, string(r))
			}
		}
		tx.Emit("user.changed", "", is.User.Name, map[string]string{"roles": strings.Join(roles, " "), "provider": is.Account.Provider})
	}
	if is.New {
		tx.Emit("account.connected", "", is.User.Name, map[string]string{"provider": is.Account.Provider, "account": is.Account.ID})
	}
	return told(tx, is.Members, is.Made)
}

func given(u access.User) (roles []access.Role) {
	for _, g := range u.Given {
		roles = append(roles, g.Role)
	}
	return roles
}

// noteRefused tells operators of a sign-in that was good at the provider, and refused here for what
// an operator can change.
func (s *SignIns) noteRefused(ctx context.Context, who access.Assertion, why error) {
	reason := ""
	for word, err := range map[string]error{"name taken": access.ErrNotConnected, "not vouched": access.ErrUnvouched, "disabled": access.ErrForbidden} {
		if errors.Is(why, err) {
			reason = word
		}
	}
	if reason == "" {
		return
	}
	_, err := s.people.desk.Update(ctx, "", func(tx state.Tx) error {
		subject := ""
		if a, err := tx.Account(who.Key()); err == nil {
			subject = a.User
		} else if name, err := access.CanonicalName(who.Email); err == nil {
			subject = name
		}
		tx.Emit("account.refused", "", subject, map[string]string{"provider": who.Provider, "email": who.Email, "reason": reason})
		return nil
	})
	if err != nil {
		s.people.desk.Logger.ErrorContext(ctx, "a refused sign-in is not in the feed", "provider", who.Provider, "err", err)
	}
}

// EndedAt takes a provider's notice that a session there has ended, and ends the sessions here that
// began with it.
func (s *SignIns) EndedAt(ctx context.Context, provider, notice string) error {
	p, err := s.provider(provider)
	if err != nil {
		return err
	}
	ended, err := p.Ended(ctx, notice)
	if err != nil {
		return err
	}
	now := s.people.desk.Now()
	if ended.At.After(now) { // its clock is ahead: a session that begins until then is not the one
		ended.At = now
	}
	_, err = s.people.desk.Update(ctx, "", func(tx state.Tx) error {
		sessions, err := access.EndAt(tx, ended)
		if err != nil {
			return err
		}
		told := map[string]bool{}
		for _, c := range sessions {
			if told[c.User] {
				continue
			}
			told[c.User] = true
			first, err := control.Once(tx, c.User, "logout "+ended.Provider+" "+ended.ID, now)
			if err != nil {
				return err
			}
			if !first {
				return fmt.Errorf("%w: the notice came before", access.ErrUntrustedSignIn)
			}
			tx.As(c.User)
			tx.Emit("user.signed_out", "", c.User, map[string]string{"provider": ended.Provider})
		}
		return nil
	})
	return err
}

// ProviderOf returns the provider with which the actor's session began; "" for none.
func (s *SignIns) ProviderOf(ctx context.Context) (provider string, err error) {
	actor := access.ActorFrom(ctx)
	err = s.people.desk.View(ctx, func(tx state.Reader) error {
		c, err := tx.CredentialByHash(actor.Credential)
		if err == nil && c.Account != "" {
			var a access.Account
			a, err = tx.Account(c.Account)
			provider = a.Provider
		}
		if errors.Is(err, access.ErrNotFound) {
			return nil
		}
		return err
	})
	return provider, err
}

// EndSession returns where a browser ends its session at a provider, too; "" if there is no such place.
func (s *SignIns) EndSession(provider, returnTo string) string {
	p, err := s.provider(provider)
	if err != nil {
		return ""
	}
	return p.EndSession(s.people.consoleURL() + returnTo)
}

// maxContacts is how many operators are named to people who need one.
const maxContacts = 3

// Contact is whom a person asks who has no role.
func (s *SignIns) Contact(ctx context.Context) (words string, err error) {
	if contact := s.entrance.Load().Contact; contact != "" {
		return contact, nil
	}
	var names []string
	err = s.people.desk.View(ctx, func(tx state.Reader) error {
		users, err := tx.Users()
		for _, u := range users {
			if u.CanOperate() && len(names) < maxContacts {
				names = append(names, u.Name)
			}
		}
		return err
	})
	return strings.Join(names, ", "), err
}

// ApplyRules gives every user what rules give now, and returns to how many they gave something else before. A sign-in
// that began with earlier rules may end after it: who replaced them calls it until it changes nothing.
func (s *SignIns) ApplyRules(ctx context.Context) (changed int, err error) {
	var outdated []string
	rules := s.Rules()
	err = s.people.desk.View(ctx, func(tx state.Reader) error {
		users, err := tx.Users()
		for _, u := range users {
			old, ruleErr := access.Outdated(tx, u, rules)
			if err = errors.Join(err, ruleErr); old {
				outdated = append(outdated, u.Name)
			}
		}
		return err
	})
	for _, name := range outdated {
		if err == nil {
			err = s.applyTo(ctx, name)
		}
	}
	return len(outdated), err
}

// Rules are those that give roles by groups at providers.
func (s *SignIns) Rules() access.RoleRules { return s.entrance.Load().roleRules() }

func (s *SignIns) applyTo(ctx context.Context, name string) error {
	_, err := s.people.desk.Update(ctx, nodeActor.User, func(tx state.Tx) error {
		u, err := access.ApplyRules(tx, name, s.Rules())
		if errors.Is(err, access.ErrNotFound) {
			return nil // renamed meanwhile, by whoever will apply rules again
		}
		tell(tx, access.Told{User: u, Roles: true})
		return err
	})
	return err
}
