package people

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

const (
	// mostRefused are how many tokens of one address are refused within refusedWithin; no other is looked at then.
	mostRefused   = 60
	refusedWithin = time.Minute
)

// WorkloadReader verifies the tokens of a CI's jobs.
type WorkloadReader interface {
	// Read returns what a token says; access.ErrProviderDown if its issuer cannot be asked for keys.
	Read(ctx context.Context, token string) (access.Workload, error)
}

// Workloads give the jobs of a CI tokens of service accounts, in exchange for the CI's own. They are safe for
// concurrent use.
type Workloads struct {
	people  *Service
	signIns *SignIns // which know the rules that are in force

	mu      sync.Mutex
	refused map[string][]time.Time // by network
}

// NewWorkloads makes Workloads by the rules of an entrance.
func NewWorkloads(s *SignIns) *Workloads {
	return &Workloads{people: s.people, signIns: s, refused: map[string][]time.Time{}}
}

// Exchange trades a workload's token for one of the service account of the first rule that it meets, with the
// scopes of the rule or, if some are asked for, with these alone. Who asks is unknown: they are told that it was
// refused, and the log is told why.
func (w *Workloads) Exchange(ctx context.Context, asked control.Exchange) (string, access.Credential, error) {
	from, now := access.DeviceFrom(ctx), w.people.desk.Now()
	if !w.charge(from.Network(), now) {
		return "", access.Credential{}, fmt.Errorf("%w: %d of this address within a minute", access.ErrExchanges, mostRefused)
	}
	secret, token, err := w.exchange(ctx, asked)
	if err == nil || errors.Is(err, access.ErrProviderDown) {
		w.refund(from.Network(), now)
	}
	log := w.people.desk.Logger.With("address", from.Address)
	switch {
	case err == nil:
		return secret, token, nil
	case errors.Is(err, access.ErrProviderDown):
		log.ErrorContext(ctx, "a workload's token cannot be verified", "err", err)
		return "", access.Credential{}, access.ErrIssuerDown
	case expected(err):
		log.WarnContext(ctx, "a workload's token was not exchanged", "err", err)
		return "", access.Credential{}, access.ErrExchange
	}
	return "", access.Credential{}, err
}

// Rules lists the rules, in the order in which they count, for auditors and operators.
func (w *Workloads) Rules(ctx context.Context, p control.Page) (page control.Items[control.WorkloadRule], err error) {
	if _, err := w.people.desk.May(ctx, access.ReadWorkloads, access.TheNode); err != nil {
		return page, err
	}
	return w.list(ctx, p, func(state.Reader) (*registry.App, error) { return nil, nil })
}

// RulesFor lists the rules by which jobs may act on an app: those that name it, and those that name none and whose
// account may change it now. Of the apps that a rule names it tells that one alone.
func (w *Workloads) RulesFor(ctx context.Context, name string, p control.Page) (page control.Items[control.WorkloadRule], err error) {
	actor, err := w.people.desk.Door(ctx, access.ReadAppWorkloads)
	if err != nil {
		return page, err
	}
	return w.list(ctx, p, func(tx state.Reader) (*registry.App, error) {
		app, err := tx.App(name)
		if err != nil {
			return nil, fmt.Errorf("app %q: %w", name, err)
		}
		return &app, control.MayApp(actor, access.ReadAppWorkloads, app)
	})
}

// list lists the rules for one app, or all.
func (w *Workloads) list(ctx context.Context, p control.Page, find func(state.Reader) (*registry.App, error)) (page control.Items[control.WorkloadRule], err error) {
	rules := w.signIns.entrance.Load().Workloads
	err = w.people.desk.View(ctx, func(tx state.Reader) error {
		app, err := find(tx)
		if err != nil {
			return err
		}
		shown := []control.WorkloadRule{}
		for i, r := range rules {
			one, actor, err := w.shown(tx, r)
			if err != nil {
				return err
			}
			if one.Place = i + 1; app != nil {
				if len(r.Apps) > 0 && !slices.Contains(r.Apps, app.Name) || len(r.Apps) == 0 && !access.Changes(actor, control.OfApp(*app)) {
					continue
				}
				if len(r.Apps) > 0 {
					one.Apps = []string{app.Name}
				}
			}
			shown = append(shown, one)
		}
		page, err = control.Cut(p, shown, func(r control.WorkloadRule) string { return fmt.Sprintf("%06d", r.Place) })
		return err
	})
	return page, err
}

// shown is a rule with what its account may do now, and the actor that its tokens make; no actor if it gives none.
func (w *Workloads) shown(tx state.Reader, r access.WorkloadRule) (one control.WorkloadRule, actor access.Actor, err error) {
	one = control.WorkloadRule{
		ID: r.ID, Issuer: r.Issuer, Audience: r.Audience, Claims: r.Claims, Scopes: r.Scopes, Apps: r.Apps, Effective: []access.Role{},
	}
	name, err := access.ServiceAccountName(r.Account)
	if err != nil {
		return one, actor, err // the file was checked
	}
	one.Account = strings.TrimSuffix(name, abi.ServiceDomain)
	u, err := access.FindServiceAccount(tx, name)
	switch {
	case errors.Is(err, access.ErrNoServiceAccount):
		one.Idle = "there is no such service account"
		return one, actor, nil
	case err != nil:
		return one, actor, err
	}
	one.Sponsor = u.Sponsor
	if u.Disabled {
		one.Idle = "the service account is disabled"
		return one, actor, nil
	}
	actor, err = access.ActorOf(tx, u, access.Credential{Kind: access.KindToken, User: u.Name, Reach: r.Reach()}, w.people.desk.Now())
	if errors.Is(err, access.ErrNoSponsor) {
		one.Idle = "the sponsor of the service account has left"
		return one, access.Actor{}, nil
	}
	one.Effective = append(one.Effective, actor.Roles...)
	return one, actor, err
}

// expected reports whether an error is about the token, the rule or its service account, of which a stranger is
// told nothing.
func expected(err error) bool {
	return slices.ContainsFunc([]error{
		access.ErrExchange, access.ErrServiceAccount, access.ErrNoServiceAccount, access.ErrNoSponsor, access.ErrScope, access.ErrBadUser,
	}, func(kind error) bool { return errors.Is(err, kind) })
}

func (w *Workloads) exchange(ctx context.Context, asked control.Exchange) (string, access.Credential, error) {
	e := w.signIns.entrance.Load()
	job, err := e.Jobs.Read(ctx, asked.Token)
	if err != nil {
		return "", access.Credential{}, err
	}
	rule, err := access.WorkloadRuleFor(e.Workloads, job)
	if err != nil {
		return "", access.Credential{}, fmt.Errorf("run %s: %w", job.Run(), err)
	}
	reach := rule.Reach()
	if len(asked.Scopes) > 0 {
		narrow := access.Reach{Scopes: asked.Scopes, Apps: rule.Apps}
		if err := errors.Join(narrow.Check(), narrow.Inside(reach)); err != nil {
			return "", access.Credential{}, fmt.Errorf("run %s asks for more than rule %s gives: %w", job.Run(), rule.ID, err)
		}
		reach = narrow
	}
	secret, hash := access.NewSecret(access.KindToken)
	var token access.Credential
	fresh := false
	_, err = w.people.desk.Update(ctx, "", func(tx state.Tx) (err error) {
		token, fresh, err = access.SpendWorkload(tx, job, rule, reach, hash, w.people.desk.Now())
		if err != nil {
			return err
		}
		if token.User != "" {
			tx.As(token.User)
		}
		detail := map[string]string{"rule": rule.ID, "issuer": job.Issuer, "run": job.Run()}
		if !fresh {
			tx.Emit("workload.replayed", "", token.ID, detail)
			return nil
		}
		detail["scopes"] = words(reach.Scopes)
		if len(reach.Apps) > 0 {
			detail["apps"] = strings.Join(reach.Apps, " ")
		}
		tx.Emit("workload.exchanged", "", token.ID, detail)
		return nil
	})
	if err == nil && !fresh {
		err = fmt.Errorf("run %s, rule %s: the token was exchanged before, and what it gave has ended: %w", job.Run(), rule.ID, access.ErrExchange)
	}
	if err != nil {
		return "", access.Credential{}, fmt.Errorf("rule %s: %w", rule.ID, err)
	}
	return secret, token, nil
}

// charge counts a token as refused before it is looked at, and reports whether it may be.
func (w *Workloads) charge(from string, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	old := func(at time.Time) bool { return now.Sub(at) >= refusedWithin }
	forgetOld(w.refused, func(all []time.Time) bool { return len(all) == 0 || old(all[len(all)-1]) })
	recent := slices.DeleteFunc(w.refused[from], old)
	if len(recent) >= mostRefused {
		w.refused[from] = recent
		return false
	}
	w.refused[from] = append(recent, now)
	return true
}

// refund takes back what was charged for a token that was not refused.
func (w *Workloads) refund(from string, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.Index(w.refused[from], at); i >= 0 {
		w.refused[from] = slices.Delete(w.refused[from], i, i+1)
	}
}
