package scim

import (
	"context"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web"
)

// People are those of whom the provider in the context tells. Closures may be called more than once.
type People interface {
	Person(ctx context.Context, id string) (control.ProvisionedPerson, error)
	// People returns those of a query for which keep returns true (nil: all), and how many there are.
	People(ctx context.Context, q control.ProvisionedQuery, keep func(control.ProvisionedPerson) bool) ([]control.ProvisionedPerson, int, error)
	AddPerson(ctx context.Context, p access.Provisioned) (control.ProvisionedPerson, error)
	ChangePerson(ctx context.Context, id string, change func(control.ProvisionedPerson) (access.Provisioned, error)) (control.ProvisionedPerson, error)
	RemovePerson(ctx context.Context, id string, check func(control.ProvisionedPerson) error) error
}

// Groups are those of the provider in the context.
type Groups interface {
	// Group reads a group, with its members if they are asked for.
	Group(ctx context.Context, id string, members bool) (control.ProvisionedGroup, error)
	Groups(ctx context.Context, q control.ProvisionedQuery, members bool, keep func(control.ProvisionedGroup) bool) ([]control.ProvisionedGroup, int, error)
	AddGroup(ctx context.Context, c control.GroupChange) (control.ProvisionedGroup, error)
	// ChangeGroup calls change with the group as it is, with its members if they are asked for.
	ChangeGroup(ctx context.Context, id string, members bool, change func(control.ProvisionedGroup) (control.GroupChange, error)) (control.ProvisionedGroup, error)
	RemoveGroup(ctx context.Context, id string, members bool, check func(control.ProvisionedGroup) error) error
}

// Services are what the front door asks of a node.
type Services struct {
	Authenticator web.Authenticator
	Room          web.Room
	People        People
	Groups        Groups
}
