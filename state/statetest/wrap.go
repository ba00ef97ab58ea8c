package statetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/triggers"
)

// Strict runs each closure of Update twice, and takes back what the first run did. It reports closures
// that do something else when they run again, and changes that emit no event: every change is in
// the audit log.
func Strict(t testing.TB, s state.Store) state.Store { return &strict{s, t} }

type strict struct {
	state.Store
	t testing.TB
}

var errAgain = errors.New("it runs once more")

func (s *strict) Update(ctx context.Context, by string, change func(state.Tx) error) (abi.Rev, error) {
	var first, second recorder
	var firstErr error
	was, _ := s.Rev(ctx) // where it cannot be read, nothing is compared
	_, err := s.Store.Update(ctx, by, func(tx state.Tx) error {
		first = recorder{Tx: tx}
		if firstErr = change(&first); firstErr != nil {
			return firstErr
		}
		return errAgain
	})
	if !errors.Is(err, errAgain) && firstErr == nil {
		return 0, err // the store itself
	}
	rev, err := s.Store.Update(ctx, by, func(tx state.Tx) error {
		second = recorder{Tx: tx}
		return change(&second)
	})
	// If others changed something in between, the second run found another state.
	alone := rev == was+1
	if err == nil && firstErr == nil && alone && !slices.Equal(first.did, second.did) {
		s.t.Errorf("a closure of Update did\n%q\nand, when it ran again,\n%q", first.did, second.did)
	}
	if err == nil && len(second.did) > 0 && second.events == 0 {
		s.t.Errorf("an Update changed %q, and no event tells of it", second.did)
	}
	return rev, err
}

// Note runs change twice, as Update does.
func (s *strict) Note(ctx context.Context, change func(state.Notes) error) error {
	var first error
	err := s.Store.Note(ctx, func(n state.Notes) error {
		if first = change(n); first != nil {
			return first
		}
		return errAgain
	})
	if !errors.Is(err, errAgain) && first == nil {
		return err // the store itself
	}
	return s.Store.Note(ctx, change)
}

// Failing is a store whose updates fail, while Fail is set, after their closures have run: as when the
// disk is full, or another node's change came first.
type Failing struct {
	state.Store
	Fail atomic.Bool
}

// ErrFailed is what an Update of Failing returns.
var ErrFailed = errors.New("the store could not commit")

// Update runs change, and takes back what it did if it is to fail.
func (f *Failing) Update(ctx context.Context, by string, change func(state.Tx) error) (abi.Rev, error) {
	return f.Store.Update(ctx, by, func(tx state.Tx) error {
		if err := change(tx); err != nil || !f.Fail.Load() {
			return err
		}
		return ErrFailed
	})
}

// recorder notes which records a closure writes, and which events it emits.
type recorder struct {
	state.Tx
	did    []string
	events int
}

func (r *recorder) note(parts ...any) { r.did = append(r.did, fmt.Sprint(parts...)) }

func (r *recorder) Emit(kind, app, subject string, detail map[string]string) {
	r.events++
	same := maps.Clone(detail)
	delete(same, "digest") // of a document that says when it was made
	r.note("emit ", kind, app, subject, same)
	r.Tx.Emit(kind, app, subject, detail)
}

func (r *recorder) PutApp(a registry.App) error {
	r.note("app ", a.Name, a.Releases, a.Active)
	return r.Tx.PutApp(a)
}

func (r *recorder) AddRelease(v registry.Release) error {
	r.note("release ", v.App, v.Number, v.Digest, v.Findings)
	return r.Tx.AddRelease(v)
}

func (r *recorder) DeleteRelease(app string, n int) error {
	r.note("delete release ", app, n)
	return r.Tx.DeleteRelease(app, n)
}

func (r *recorder) AddActivation(a registry.Activation) error {
	r.note("activation ", a.App, a.Tier, a.Release, a.Previous, a.Reason)
	return r.Tx.AddActivation(a)
}

func (r *recorder) PutKey(k registry.Key) error {
	r.note("key ", k.Hint, k.Identity)
	return r.Tx.PutKey(k)
}

func (r *recorder) DeleteKey(hint string) error {
	r.note("delete key ", hint)
	return r.Tx.DeleteKey(hint)
}

func (r *recorder) PutHostName(n registry.HostName) error {
	r.note("host ", n.Host, n.App)
	return r.Tx.PutHostName(n)
}

func (r *recorder) DeleteHostName(host string) error {
	r.note("delete host ", host)
	return r.Tx.DeleteHostName(host)
}

func (r *recorder) PutRequest(q approvals.Request) error {
	r.note("request ", q.ID, q.App, q.Release, q.Status, q.Capability, q.Requires, q.Reason)
	return r.Tx.PutRequest(q)
}

func (r *recorder) PutGrant(g approvals.Grant) error {
	r.note("grant ", g.ID, g.App, g.Params, g.Except, g.Revoked.IsZero())
	return r.Tx.PutGrant(g)
}

func (r *recorder) PutUser(u access.User) error {
	r.note("user ", u.Name, u.Roles, u.Disabled)
	return r.Tx.PutUser(u)
}

func (r *recorder) PutCredential(c access.Credential) error {
	r.note("credential ", c.Hash, c.User, c.Kind)
	return r.Tx.PutCredential(c)
}

func (r *recorder) DeleteCredential(hash string) error {
	err := r.Tx.DeleteCredential(hash)
	if err == nil {
		r.note("delete credential ", hash)
	}
	return err
}

func (r *recorder) PutGroup(g access.Group) error {
	r.note("group ", g.Name, g.Source, g.External)
	return r.Tx.PutGroup(g)
}

func (r *recorder) DeleteGroup(id string) error {
	r.note("delete group ", id)
	return r.Tx.DeleteGroup(id)
}

func (r *recorder) PutMember(group, person string) error {
	r.note("member ", person)
	return r.Tx.PutMember(group, person)
}

func (r *recorder) DeleteMember(group, person string) error {
	r.note("delete member ", person)
	return r.Tx.DeleteMember(group, person)
}

func (r *recorder) PutAccount(a access.Account) error {
	r.note("account ", a.ID, a.User)
	return r.Tx.PutAccount(a)
}

func (r *recorder) PutQuotaSetting(s access.QuotaSetting) error {
	r.note("quota ", s.Per, s.Of, s.Quota, s.Limit)
	return r.Tx.PutQuotaSetting(s)
}

func (r *recorder) DeleteQuotaSetting(per, of, quota string) error {
	r.note("no quota ", per, of, quota)
	return r.Tx.DeleteQuotaSetting(per, of, quota)
}

func (r *recorder) PutLinks(l access.Links) error {
	r.note("links ", l.Off)
	return r.Tx.PutLinks(l)
}

func (r *recorder) DeleteAccount(id string) error {
	err := r.Tx.DeleteAccount(id)
	if err == nil {
		r.note("delete account ", id)
	}
	return err
}

func (r *recorder) PutAudience(a access.Audience) error {
	r.note("audience ", a.App, a.Tier, a.Kind, a.People, a.Groups)
	return r.Tx.PutAudience(a)
}

func (r *recorder) PutAccessRequest(q access.AccessRequest) error {
	r.note("access request ", q.App, q.Tier, q.Person, q.Status)
	return r.Tx.PutAccessRequest(q)
}

func (r *recorder) PutSecret(s secrets.Secret) error {
	r.note("secret ", s.App, s.Name, s.Key)
	return r.Tx.PutSecret(s)
}

func (r *recorder) DeleteSecret(app, name string) error {
	r.note("delete secret ", app, name)
	return r.Tx.DeleteSecret(app, name)
}

func (r *recorder) PutPause(p triggers.Pause) error {
	r.note("pause ", p.Ref, p.Reason)
	return r.Tx.PutPause(p)
}

func (r *recorder) DeletePause(p triggers.Ref) error {
	r.note("delete pause ", p)
	return r.Tx.DeletePause(p)
}
