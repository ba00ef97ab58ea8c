package persons

import (
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
)

// A service account's record refers to the person who answers for it.

func (a accountReader) User(name string) (access.User, error) {
	u, err := a.below.User(name)
	return one(a.in, u, err, InUser)
}

func (a accountReader) Users() ([]access.User, error) {
	all, err := a.below.Users()
	return many(a.in, all, err, InUser)
}

func (a accountReader) UsersPart(p state.Part) ([]access.User, []byte, error) {
	all, next, err := a.below.UsersPart(p)
	return part(a.in, all, next, err, InUser)
}

func (a accountReader) ServiceAccounts(sponsor string) ([]access.User, error) {
	id, err := a.in.id(sponsor)
	if err != nil {
		return nil, err
	}
	all, err := a.below.ServiceAccounts(id)
	return many(a.in, all, err, InUser)
}

func (a accountReader) Absent() ([]access.User, error) {
	all, err := a.below.Absent()
	return many(a.in, all, err, InUser)
}

// PutUser stores a user, whose names lead to them from here on.
func (a accountWriter) PutUser(u access.User) error {
	if err := each(InUser(&u), a.in.id); err != nil {
		return err
	}
	clear(a.in.known)
	return a.tx.PutUser(u)
}
