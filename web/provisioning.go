package web

import (
	"context"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
)

// Provisioning is how providers and files say who there is, for operators.
type Provisioning interface {
	Provisionings(ctx context.Context) ([]control.ProvisioningStatus, error)
	// Provisioning reads how one provider stands, with its conflicts and last changes.
	Provisioning(ctx context.Context, provider string) (control.ProvisioningStatus, error)
	ProvisioningTokens(ctx context.Context, provider string) ([]access.Credential, error)
	// NewProvisioningToken returns a secret that is shown this once.
	NewProvisioningToken(ctx context.Context, t control.NewProvisioningToken) (secret string, c access.Credential, err error)
	RevokeProvisioningToken(ctx context.Context, provider, id string) error
	// LinkPerson says that a provider's person is one who is here.
	LinkPerson(ctx context.Context, provider string, l control.ProvisioningLink) (access.Provisioned, error)
	DismissConflict(ctx context.Context, provider, userName string) error
	// ImportPeople says what a file changes, or changes it.
	ImportPeople(ctx context.Context, in control.PeopleImport) (control.ImportPlan, error)
}
