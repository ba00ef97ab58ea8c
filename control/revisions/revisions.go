package revisions

import (
	"context"
	"errors"
	"fmt"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/triggers"
)

// The documents of the services, each as its reader sees it in one state.
type (
	People interface {
		UserIn(tx state.Reader, actor access.Actor, name string) (access.User, error)
	}
	Groups interface {
		ShowIn(tx state.Reader, actor access.Actor, text string) (control.Group, error)
	}
	Catalogue interface {
		AppIn(tx state.Reader, actor access.Actor, name string) (control.App, error)
	}
	Automation interface {
		TriggerIn(tx state.Reader, ref triggers.Ref) (control.TriggerFace, error)
	}
	Governance interface {
		RequestIn(tx state.Reader, actor access.Actor, id string) (approvals.Request, error)
		GrantIn(tx state.Reader, actor access.Actor, id string) (approvals.Grant, error)
	}
)

// Audiences reads who may open apps.
type Audiences interface {
	AudienceIn(tx state.Reader, actor access.Actor, app string, tier abi.Tier) (control.Audience, error)
}

// Service holds writes to what their callers have read.
type Service struct {
	Desk       *control.Desk
	People     People
	Groups     Groups
	Catalogue  Catalogue
	Automation func() Automation // steers the dispatcher, which is opened later
	Governance Governance
	Audiences  Audiences
}

// Expect returns a context within which a change is made only if a document is, in the transaction of
// the change, as the condition says. It returns an error if the document is not so even now.
func (s *Service) Expect(ctx context.Context, of control.Document, c control.Condition) (context.Context, error) {
	actor := access.ActorFrom(ctx)
	check := func(tx state.Reader) error { return s.check(tx, actor, of, c) }
	if err := s.Desk.View(ctx, check); err != nil {
		return ctx, err
	}
	return control.Guarded(ctx, check), nil
}

// Changed reads a document, and what changed it after a revision: for a person whose change was not
// made because of that. A document that is not there has neither a tag nor changes.
func (s *Service) Changed(ctx context.Context, of control.Document, after abi.Rev) (now control.Changed, err error) {
	actor := access.ActorFrom(ctx)
	rev, err := s.Desk.Store.Rev(ctx)
	if err != nil {
		return now, err
	}
	err = s.Desk.View(ctx, func(tx state.Reader) error {
		now = control.Changed{Rev: rev}
		doc, err := s.read(tx, actor, of)
		if of.Kind == control.DocumentUser && errors.Is(err, access.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		now.Doc, now.Tag = doc, control.Tag(doc)
		now.Events, err = changes(tx, actor, trace(of, doc), after, mostChanges)
		return err
	})
	return now, err
}

func (s *Service) check(tx state.Reader, actor access.Actor, of control.Document, c control.Condition) error {
	doc, err := s.read(tx, actor, of)
	there := err == nil
	if !there && !(of.Kind == control.DocumentUser && errors.Is(err, access.ErrNotFound)) {
		return err // it says more than that nothing matches
	}
	tag := ""
	if there {
		tag = control.Tag(doc)
	}
	switch {
	case c.Holds(tag):
		return nil
	case !there:
		return fmt.Errorf("there is no user %q: %w", of.ID, control.ErrPrecondition)
	case c.NoneMatch != nil && c.NoneMatch.Any:
		return fmt.Errorf("the %s already exists: %w", nameOf(of), control.ErrPrecondition)
	}
	last, err := lastChange(tx, actor, trace(of, doc))
	if err != nil {
		return err
	}
	return fmt.Errorf("the %s has changed since it was read%s: %w", nameOf(of), last, control.ErrPrecondition)
}

func (s *Service) read(tx state.Reader, actor access.Actor, of control.Document) (any, error) {
	switch of.Kind {
	case control.DocumentApp:
		return s.Catalogue.AppIn(tx, actor, of.ID)
	case control.DocumentUser:
		return s.People.UserIn(tx, actor, of.ID)
	case control.DocumentGroup:
		return s.Groups.ShowIn(tx, actor, of.ID)
	case control.DocumentRequest:
		return s.Governance.RequestIn(tx, actor, of.ID)
	case control.DocumentGrant:
		return s.Governance.GrantIn(tx, actor, of.ID)
	case control.DocumentAudience:
		return s.Audiences.AudienceIn(tx, actor, of.ID, of.Tier)
	case control.DocumentTrigger:
		return s.Automation().TriggerIn(tx, of.Trigger)
	}
	return nil, fmt.Errorf("BUG: documents of the kind %q have no tag", of.Kind)
}
