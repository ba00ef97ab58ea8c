package people

import (
	"context"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
)

// Links returns whether operators' one-time links are taken, for operators.
func (s *SignIns) Links(ctx context.Context) (l access.Links, err error) {
	if _, err := s.people.desk.May(ctx, access.Operate, access.TheNode); err != nil {
		return l, err
	}
	err = s.people.desk.View(ctx, func(tx state.Reader) (err error) {
		l, err = tx.Links()
		return err
	})
	return l, err
}

// LinksTaken reports whether operators' one-time links are taken, for whoever wants to sign in.
func (s *SignIns) LinksTaken(ctx context.Context) (taken bool, err error) {
	err = s.people.desk.View(ctx, func(tx state.Reader) error {
		l, err := tx.Links()
		taken = !l.Off
		return err
	})
	return taken, err
}

// SwitchLinks switches operators' one-time links on or off.
func (s *SignIns) SwitchLinks(ctx context.Context, off bool) (l access.Links, err error) {
	actor, err := s.people.desk.May(ctx, access.Operate, access.TheNode)
	if err != nil {
		return l, err
	}
	l = access.Links{Off: off, By: actor.User, At: s.people.desk.Now().UTC()}
	_, err = s.people.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		was, err := tx.Links()
		if err != nil || was.Off == off {
			l = was
			return err
		}
		kind := "links.switched_on"
		if off {
			kind = "links.switched_off"
		}
		tx.Emit(kind, "", "", nil)
		return access.SwitchLinks(tx, l, s.Rules().Providers)
	})
	return l, err
}
