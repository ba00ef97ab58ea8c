package persons

import (
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
)

// accountReader reads whose accounts at sign-in providers are, by names.
type accountReader struct {
	below state.Reader
	in    *reader
}

func (a accountReader) Account(id string) (access.Account, error) {
	found, err := a.below.Account(id)
	return one(a.in, found, err, InAccount)
}

func (a accountReader) Accounts(user string) ([]access.Account, error) {
	id, err := a.in.id(user)
	if err != nil {
		return nil, err
	}
	all, err := a.below.Accounts(id)
	return many(a.in, all, err, InAccount)
}

func (a accountReader) SessionsAt(key string) ([]access.Credential, error) {
	all, err := a.below.SessionsAt(key)
	return many(a.in, all, err, InCredential)
}

// accountWriter changes accounts of people who are given by names.
type accountWriter struct {
	in *reader
	tx state.Tx
}

func (a accountWriter) PutAccount(account access.Account) error {
	if err := each(InAccount(&account), a.in.id); err != nil {
		return err
	}
	return a.tx.PutAccount(account)
}

func (a accountWriter) DeleteAccount(id string) error { return a.tx.DeleteAccount(id) }

func (a accountReader) Links() (access.Links, error) {
	l, err := a.below.Links()
	return one(a.in, l, err, InLinks)
}

func (a accountWriter) PutLinks(l access.Links) error {
	if err := each(InLinks(&l), a.in.id); err != nil {
		return err
	}
	return a.tx.PutLinks(l)
}
