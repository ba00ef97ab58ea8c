package control

import (
	"time"

	"github.com/agora-host/agora/access"
)

// ServiceAccount is an account of a machine for which a person answers.
type ServiceAccount struct {
	Name    string        `json:"name"`    // "deploy-hello"
	User    string        `json:"user"`    // as which it acts: "deploy-hello@service-account"
	Sponsor string        `json:"sponsor"` // the person who answers for it
	Purpose string        `json:"purpose,omitempty"`
	Roles   []access.Role `json:"roles"` // that it was given
	// Effective are the roles that it has now: those that its sponsor has, too.
	Effective []access.Role `json:"effective_roles"`
	Disabled  bool          `json:"disabled,omitempty"`
	// Orphaned says that its sponsor has left: nothing that it comes in with works before an operator
	// names another.
	Orphaned bool      `json:"orphaned,omitempty"`
	Created  time.Time `json:"created"`
	Tokens   int64     `json:"tokens"` // that it has now
}

// ServiceAccountFilter narrows the list of service accounts.
type ServiceAccountFilter struct {
	Sponsor  string // "" for all that the actor may see
	Orphaned bool   // those alone whose sponsor has left
}

// ServiceAccountChange is what becomes of a service account; nil: it stays as it is.
type ServiceAccountChange struct {
	Sponsor  *string        `json:"sponsor,omitempty"` // for operators
	Purpose  *string        `json:"purpose,omitempty"`
	Roles    *[]access.Role `json:"roles,omitempty"`
	Disabled *bool          `json:"disabled,omitempty"`
}

// NewServiceAccount is a service account that is asked for.
type NewServiceAccount struct {
	Name    string        `json:"name"`
	Sponsor string        `json:"sponsor,omitempty"` // default the actor; another, for operators
	Purpose string        `json:"purpose,omitempty"`
	Roles   []access.Role `json:"roles"`
}
