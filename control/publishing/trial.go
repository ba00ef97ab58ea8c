package publishing

import (
	"errors"
	"fmt"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/registry"
)

// maxWhy bounds what is said of a failure, in bytes.
const maxWhy = 1500

// Trial is what became of an app's start-up and of one request, before it serves.
type Trial struct {
	// Err is how it failed, nil if it did not; Detail and Printed are for its developer.
	Err     error
	Detail  string
	Printed []string
	// StartUp means that it failed before it was given the request, so that no request can work.
	StartUp bool
	// Runaway means that start-up passed a limit that it would have in each call.
	Runaway bool
	// Called means that it called a capability, which all are unavailable here: with them it may
	// work.
	Called bool
}

// findings returns what its owner should know of a trial. An app whose start-up fails by itself
// would fail in each call, and is refused. A request that fails may be one that the app was not made
// for.
func (t Trial) findings(app string) ([]abi.Finding, error) {
	if t.Err == nil || t.Called || !ofTheApp(t.Err) && !t.Runaway {
		return nil, nil
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
			Code: "trial.runaway", Severity: abi.SeverityInfo, Path: "limits.fuel",
			Message: "Before it serves, the app was started once, and its start-up did not come to an end: " + why,
			Remedy:  abi.Remedy{Summary: "Look for a loop in what the app does when it starts, or raise limits.fuel: start-up that is kept may use ten times that.", Commands: []string{"agora logs " + app}},
		}}, nil
	}
	if t.StartUp {
		return nil, fmt.Errorf("%w: %s", registry.ErrCannotStart, why)
	}
	return []abi.Finding{{
		Code: "trial.failed", Severity: abi.SeverityInfo, Path: "module",
		Message: "Before it serves, the app was asked for GET / once, and failed: " + why,
		Remedy:  abi.Remedy{Summary: "Mend it, unless it is not made for that request.", Commands: []string{"agora invoke " + app}},
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
