package control

import "github.com/agora-host/agora/access"

// WorkloadRule is a rule by which jobs of a CI get tokens, as the node's file has it, and what these may do now.
type WorkloadRule struct {
	Place    int               `json:"place"` // in the file, from 1: of the rules that a job meets, the first counts
	ID       string            `json:"id"`
	Issuer   string            `json:"issuer"`   // of the CI's tokens
	Audience string            `json:"audience"` // that these are made for
	Claims   map[string]string `json:"claims"`   // that they have
	Account  string            `json:"service_account"`
	Sponsor  string            `json:"sponsor,omitempty"` // the person who answers for the account
	Scopes   []access.Scope    `json:"scopes"`
	Apps     []string          `json:"apps,omitempty"` // none: all that the account reaches
	// Effective are the roles that the account has now.
	Effective []access.Role `json:"effective_roles"`
	// Idle says why no job gets a token by the rule now; left out if jobs do.
	Idle string `json:"idle,omitempty"`
}
