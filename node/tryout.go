package node

import (
	"context"
	"errors"
	"fmt"
	"github.com/agora-host/agora/host"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/registry"
)

// maxWhy bounds what is said of a failure, in bytes.
const maxWhy = 1500

// tryOut lets an app start and serve one request before anything is routed to it. One whose
// start-up fails by itself would fail in each call, and is refused. A request that fails may be one
// that the app was not made for: its owner is told.
func (h *Node) tryOut(ctx context.Context, code []byte, r registry.Release) ([]abi.Finding, error) {
	t, err := h.engine.Try(ctx, code, r.Interface, host.EngineLimits(r))
	if err != nil || t.Err == nil || t.Called || !ofTheApp(t.Err) && !t.Runaway {
		return nil, err
	}
	why := t.Err.Error()
	for _, more := range []string{t.Detail, strings.Join(t.Printed, "; ")} {
		if more != "" {
			why += ": " + strings.Join(strings.Fields(more), " ")
		}
	}
	why = strings.ToValidUTF8(why[:min(len(why), maxWhy)], "")
	if t.Runaway {
		return []abi.Finding{{
			Code: "trial.runaway", Severity: abi.SeverityNote, Path: "limits.fuel",
			Message: "Before it serves, the app was started once, and its start-up did not come to an end: " + why,
			Remedy:  abi.Remedy{Summary: "Look for a loop in what the app does when it starts, or raise limits.fuel: start-up that is kept may use ten times that.", Commands: []string{"agora logs " + r.App}},
		}}, nil
	}
	if t.StartUp {
		return nil, fmt.Errorf("%w: %s", registry.ErrCannotStart, why)
	}
	return []abi.Finding{{
		Code: "trial.failed", Severity: abi.SeverityNote, Path: "module",
		Message: "Before it serves, the app was asked for GET / once, and failed: " + why,
		Remedy:  abi.Remedy{Summary: "Mend it, unless it is not made for that request.", Commands: []string{"agora invoke " + r.App}},
	}}, nil
}

// ofTheApp reports whether an app fails in this way whatever the node has to do.
func ofTheApp(err error) bool {
	for _, own := range []error{abi.ErrTrap, abi.ErrExitStatus, abi.ErrStackExhausted, abi.ErrMemoryExhausted, abi.ErrBadResponse} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}
