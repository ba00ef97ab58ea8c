package registry

import "fmt"

// Opening is what a manifest says about who reaches the app, beside the audience, which its owner sets.
type Opening struct {
	// Open are paths that need no sign-in, in pilot and production: a reviewer has seen them there.
	Open []string `toml:"open,omitempty" json:"open,omitempty"`
	// ServiceWorkers lets the app have service workers although it is not public.
	ServiceWorkers bool `toml:"service_workers,omitempty" json:"service_workers,omitempty"`
}

// maxOpen bounds how many paths a manifest opens.
const maxOpen = 20

func (e *ManifestError) checkOpening(o *Opening) {
	if o == nil {
		return
	}
	if len(o.Open) > maxOpen {
		e.add("access.open", fmt.Sprintf("access.open has %d paths; at most %d are opened", len(o.Open), maxOpen), "Open fewer paths.", `open = ["/healthz"]`)
	}
	for i, p := range o.Open {
		e.checkPath(fmt.Sprintf("access.open.%d", i+1), p)
	}
}
