package host

import (
	"context"
	"net/http"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/gate"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/metering"
)

var _ gateway.Gated = (*target)(nil)

// Admit decides whether a request is let in, before anything of the release is reached.
func (t *target) Admit(w http.ResponseWriter, r *http.Request) (in gateway.Admission, done bool, err error) {
	v, done, err := t.host.gate.Enter(w, r, t.door)
	in = gateway.Admission{Route: t, Private: t.door.Audience.Restricted() && !t.opens(r.URL.EscapedPath())}
	if v.Signed() {
		in.Route = &visited{t, v}
	}
	return in, done, err
}

// opens reports whether a path needs no sign-in: one at which a webhook is verified, or one that the
// manifest opens and a reviewer has seen, which in the sandbox none has.
func (t *target) opens(path string) bool {
	if t.hook(path) != nil {
		return true
	}
	m := t.release.Manifest.Access
	return m != nil && t.reviewed() && slices.Contains(m.Open, path)
}

// reviewed reports whether a reviewer has let the release into its tier.
func (t *target) reviewed() bool { return t.tier.Rank() >= abi.TierPilot.Rank() }

// visited is a target as one visitor has it.
type visited struct {
	*target
	visit gate.Visit
}

// Invoke calls the release, which learns of the visitor what it may. What ends the visit ends the call.
func (v *visited) Invoke(ctx context.Context, id string, r *http.Request, stream abi.Stream) (abi.Response, error) {
	if v.hook(r.URL.Path) != nil {
		return v.target.Invoke(ctx, id, r, stream)
	}
	caller, err := v.host.gate.Identity(ctx, v.visit)
	if err != nil {
		return abi.Response{}, err
	}
	result, err := v.call(&visitContext{ctx, v.host.gate, v.visit}, metering.TriggerHTTP, id, r, stream, caller...)
	return result.Response, err
}

// visitContext is the context of a call that a visitor makes.
type visitContext struct {
	context.Context
	gate  *gate.Gate
	visit gate.Visit
}
