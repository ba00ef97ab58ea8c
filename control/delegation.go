package control

import (
	"time"

	"github.com/agora-host/agora/access"
)

// ShownDelegation is a delegation as it is shown.
type ShownDelegation struct {
	access.Delegation
	By    string `json:"by"`            // in whose place To decides
	Holds bool   `json:"holds"`         // it holds now
	Why   string `json:"why,omitempty"` // why it does not
}

// NewDelegation is a delegation that is asked for.
type NewDelegation struct {
	To       string           `json:"to"`
	Concerns []access.Concern `json:"concerns,omitempty"` // none: all that the actor reviews
	From     time.Time        `json:"from,omitzero"`      // default now
	Until    time.Time        `json:"until"`
	Reason   string           `json:"reason"`
}
