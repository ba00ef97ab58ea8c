package registry

import (
	"fmt"
	"slices"
)

// Opening is what a manifest says about who reaches the app and what it learns of them, beside the
// audience, which its owner sets.
type Opening struct {
	// Open are paths that need no sign-in, in pilot and production: a reviewer has seen them there.
	Open []string `toml:"open,omitempty" json:"open,omitempty"`
	// ServiceWorkers lets the app have service workers although it is not public.
	ServiceWorkers bool `toml:"service_workers,omitempty" json:"service_workers,omitempty"`
	// Identity is what the app is told of who calls it: "pseudonym", "person", or "" for nothing.
	Identity string `toml:"identity,omitempty" json:"identity,omitempty"`
}

// identities are the words for identity.
var identities = []string{"pseudonym", "person"}

// Identity is what the app is told of who calls it; "" for nothing.
func (m Manifest) Identity() string {
	if m.Access == nil {
		return ""
	}
	return m.Access.Identity
}

// maxOpen bounds how many paths a manifest opens.
const maxOpen = 20

func (e *ManifestError) checkOpening(o *Opening) {
	if o == nil {
		return
	}
	if o.Identity != "" && !slices.Contains(identities, o.Identity) {
		e.add("access.identity", fmt.Sprintf("access.identity %q is not known", clip(o.Identity, 40)), "Use pseudonym or person, or leave it out.", `identity = "pseudonym"`)
	}
	if len(o.Open) > maxOpen {
		e.add("access.open", fmt.Sprintf("access.open has %d paths; at most %d are opened", len(o.Open), maxOpen), "Open fewer paths.", `open = ["/healthz"]`)
	}
	for i, p := range o.Open {
		e.checkPath(fmt.Sprintf("access.open.%d", i+1), p)
	}
}
