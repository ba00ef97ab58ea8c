package boltstore

import (
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
)

// accountReader reads accounts for a reader.
type accountReader struct{ in *reader }

// accountWriter changes accounts for a transaction.
type accountWriter struct {
	in *reader
	w  *writer
}

// Account reads an account at a sign-in provider.
func (a accountReader) Account(id string) (access.Account, error) {
	return get[access.Account](a.in.tx, bAccounts, key(id), access.ErrNoAccount)
}

// Accounts lists a user's accounts, by provider.
func (a accountReader) Accounts(user string) ([]access.Account, error) {
	found, _, err := pageBy[access.Account](a.in, bAccounts, within(byAccount, user), state.Part{Limit: -1}, false)
	return found, err
}

// SessionsAt lists the sessions that began with a session at a provider.
func (a accountReader) SessionsAt(place string) ([]access.Credential, error) {
	if place == "" {
		return nil, nil
	}
	found, _, err := pageBy[access.Credential](a.in, bCredentials, within(byBegun, place), state.Part{Limit: -1}, false)
	return found, err
}

// ServiceAccounts lists the service accounts of a sponsor, or all, by name.
func (a accountReader) ServiceAccounts(sponsor string) ([]access.User, error) {
	prefix := within(bySponsor)
	if sponsor != "" {
		prefix = within(bySponsor, sponsor)
	}
	found, _, err := pageBy[access.User](a.in, bUsers, prefix, state.Part{Limit: -1}, false)
	slices.SortFunc(found, func(x, y access.User) int { return strings.Compare(x.Name, y.Name) })
	return found, err
}

// Absent lists the users who have said that they are away.
func (a accountReader) Absent() ([]access.User, error) {
	found, _, err := pageBy[access.User](a.in, bUsers, within(byAbsent), state.Part{Limit: -1}, false)
	slices.SortFunc(found, func(x, y access.User) int { return strings.Compare(x.Name, y.Name) })
	return found, err
}

// PutAccount stores an account.
func (a accountWriter) PutAccount(account access.Account) error {
	return put(a.w, bAccounts, key(account.ID), account)
}

// DeleteAccount forgets an account.
func (a accountWriter) DeleteAccount(id string) error {
	if _, err := a.in.Account(id); err != nil {
		return err
	}
	return a.w.remove(bAccounts, key(id))
}

// bLinks has one record: whether sign-in links are taken.
const bLinks = "links"

// Links reads whether sign-in links are taken.
func (a accountReader) Links() (access.Links, error) {
	l, err := get[access.Links](a.in.tx, bLinks, key("links"), os.ErrNotExist)
	if errors.Is(err, os.ErrNotExist) {
		return access.Links{}, nil
	}
	return l, err
}

// PutLinks stores whether sign-in links are taken.
func (a accountWriter) PutLinks(l access.Links) error { return put(a.w, bLinks, key("links"), l) }
