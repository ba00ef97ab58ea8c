package persons

import (
	"context"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/triggers"
)

// Over returns a store over another one, in which people are known by their names.
func Over(s state.Store) state.Store { return store{s} }

type store struct{ state.Store }

func (s store) View(ctx context.Context, read func(state.Reader) error) error {
	return s.Store.View(ctx, func(r state.Reader) error { return read(newReader(r)) })
}

func (s store) Update(ctx context.Context, by string, change func(state.Tx) error) (abi.Rev, error) {
	return s.Store.Update(ctx, by, func(tx state.Tx) error {
		t := newTransaction(newReader(tx), tx)
		t.As(by)
		if err := change(t); err != nil {
			return err
		}
		return t.err
	})
}

func (s store) Events(ctx context.Context, q state.EventQuery) (events []abi.Event, err error) {
	err = s.View(ctx, func(r state.Reader) error {
		events, _, err = r.Events(q, nil)
		return err
	})
	return events, err
}

func (s store) MarkUnnamed(ctx context.Context, all []registry.Unnamed) error {
	all = slices.Clone(all)
	err := s.Store.View(ctx, func(tx state.Reader) error {
		r := newReader(tx)
		for i := range all {
			if err := each(InUnnamed(&all[i]), r.id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.Store.MarkUnnamed(ctx, all)
}

// transaction writes people's ids where it is given their names.
type transaction struct {
	*reader
	tx  state.Tx
	err error // of As and Emit, which return none
	groupWriter
	accountWriter
	audienceWriter
	quotaWriter
	noticeWriter
}

func newTransaction(r *reader, tx state.Tx) *transaction {
	return &transaction{reader: r, tx: tx, groupWriter: groupWriter{r, tx}, accountWriter: accountWriter{r, tx}, audienceWriter: audienceWriter{r, tx}, quotaWriter: quotaWriter{r, tx}, noticeWriter: noticeWriter{r, tx}}
}

// put writes one record.
func put[T any](t *transaction, v T, fields func(*T) []*string, write func(T) error) error {
	if err := each(fields(&v), t.id); err != nil {
		return err
	}
	return write(v)
}

func (t *transaction) As(actor string) {
	id, err := t.id(actor)
	t.fails(err)
	t.tx.As(id)
}

func (t *transaction) Behalf(of abi.Behalf) {
	id, err := t.id(of.Sponsor)
	t.fails(err)
	of.Sponsor = id
	t.tx.Behalf(of)
}

func (t *transaction) Emit(kind, app, subject string, detail map[string]string) {
	e := abi.Event{Kind: kind, Subject: subject, Detail: detail}
	t.fails(inEvent(&e, t.id))
	t.tx.Emit(kind, app, e.Subject, e.Detail)
}

func (t *transaction) fails(err error) {
	if t.err == nil {
		t.err = err
	}
}

func (t *transaction) Grown() ([]state.Growth, error) {
	all, err := t.tx.Grown()
	for i := range all {
		if err == nil && ofPeople(all[i].Kind) {
			all[i].Of, err = t.name(all[i].Of)
		}
	}
	return all, err
}

func (t *transaction) PutApp(a registry.App) error { return put(t, a, InApp, t.tx.PutApp) }

// AddRelease keeps what the release was signed as beside who that is.
func (t *transaction) AddRelease(r registry.Release) error {
	SignedAs(&r)
	return put(t, r, InRelease, t.tx.AddRelease)
}

func (t *transaction) DeleteRelease(app string, n int) error { return t.tx.DeleteRelease(app, n) }

func (t *transaction) ChargeRelease(app string, n int, to string) error {
	id, err := t.id(to)
	if err != nil {
		return err
	}
	return t.tx.ChargeRelease(app, n, id)
}

func (t *transaction) AddActivation(a registry.Activation) error {
	return put(t, a, InActivation, t.tx.AddActivation)
}

func (t *transaction) PutKey(k registry.Key) error { return put(t, k, InKey, t.tx.PutKey) }

func (t *transaction) DeleteKey(hint string) error { return t.tx.DeleteKey(hint) }

func (t *transaction) PutHostName(n registry.HostName) error {
	return put(t, n, InHostName, t.tx.PutHostName)
}

func (t *transaction) DeleteHostName(host string) error { return t.tx.DeleteHostName(host) }

func (t *transaction) NextCertificate() (string, error) { return t.tx.NextCertificate() }

func (t *transaction) PutCertificate(c registry.Issued) error {
	return put(t, c, InCertificate, t.tx.PutCertificate)
}

func (t *transaction) NextRequest() (string, error) { return t.tx.NextRequest() }

func (t *transaction) PutRequest(q approvals.Request) error {
	return put(t, q, InRequest, t.tx.PutRequest)
}

func (t *transaction) PutGrant(g approvals.Grant) error { return put(t, g, InGrant, t.tx.PutGrant) }

func (t *transaction) PutCredential(c access.Credential) error {
	return put(t, c, InCredential, t.tx.PutCredential)
}

func (t *transaction) DeleteCredential(hash string) error { return t.tx.DeleteCredential(hash) }

func (t *transaction) PutSecret(s secrets.Secret) error { return put(t, s, InSecret, t.tx.PutSecret) }

func (t *transaction) DeleteSecret(app, name string) error { return t.tx.DeleteSecret(app, name) }

func (t *transaction) PutAttempt(a state.Attempt) error {
	return put(t, a, InAttempt, t.tx.PutAttempt)
}

func (t *transaction) DeleteAttempt(user, key string) error {
	id, err := t.id(user)
	if err != nil {
		return err
	}
	return t.tx.DeleteAttempt(id, key)
}

func (t *transaction) PutPause(p triggers.Pause) error { return put(t, p, InPause, t.tx.PutPause) }

func (t *transaction) DeletePause(ref triggers.Ref) error { return t.tx.DeletePause(ref) }

func (t *transaction) EraseApp(app string) error { return t.tx.EraseApp(app) }
