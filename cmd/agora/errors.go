package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/static"
	"github.com/agora-host/agora/internal/contexts"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/script"
	"github.com/agora-host/agora/sdk/client"
)

// printError says what went wrong and what to do next, in the words of the node
// if it is the node that refused, and returns the exit status for it.
func (c *session) printError(err error) int {
	if errors.Is(err, errSilent) {
		return exitFailure
	}
	if p, ok := errors.AsType[*client.Problem](err); ok {
		c.printProblem(c.here(p.Problem))
		return exitOf(p.Status)
	}
	if e, ok := errors.AsType[*script.Error](err); ok {
		return c.printNotBuilt(e)
	}
	hint, code := "", exitFailure
	switch {
	case errors.Is(err, client.ErrUnreachable):
		hint, code = "Is the node running? Start one with `agora up`, log in to another with `agora login URL`, or choose one with `agora contexts use`.", exitUnreachable
	case errors.Is(err, contexts.ErrNotFound):
		code = exitNotFound
	case errors.Is(err, contexts.ErrExists):
		code = exitConflict
	case errors.Is(err, contexts.ErrBadName):
		code = exitUsage
	case errors.Is(err, registry.ErrUnsigned), errors.Is(err, registry.ErrBadSignature), errors.Is(err, registry.ErrUntrusted),
		errors.Is(err, registry.ErrBadModule), errors.Is(err, registry.ErrUnsupportedModule), errors.Is(err, registry.ErrTooHeavy), errors.Is(err, registry.ErrFeature), errors.Is(err, registry.ErrCannotStart), errors.Is(err, registry.ErrBadManifest),
		errors.Is(err, static.ErrBadArchive):
		code = exitRefused
	}
	if c.output == "json" {
		c.printJSONError(abi.Problem{Type: "about:blank", Title: "The command failed", Detail: humanize.Chain(err.Error()), Remedy: abi.Remedy{Summary: hint}})
		return code
	}
	fmt.Fprintf(c.err, "agora: %s\n", printableLines(humanize.Chain(err.Error())))
	if hint != "" {
		fmt.Fprintln(c.err, hint)
	}
	return code
}

// here puts the node that was spoken to into what a problem tells to do: the node's words are for
// every node.
func (c *session) here(p abi.Problem) abi.Problem {
	if at, err := c.target(); err == nil && p.Type == "/problems/not-signed-in" {
		p.Remedy.Commands = []string{"agora login " + at.URL}
	}
	return p
}

// printProblem shows a problem as the console does: what, why, what to do.
func (c *terminal) printProblem(p abi.Problem) {
	if c.output == "json" {
		c.printJSONError(p)
		return
	}
	fmt.Fprintf(c.err, "agora: %s\n  %s\n", printable(p.Title), printableLines(p.Detail))
	c.printFindings(p.Findings)
	if p.Remedy.Summary != "" {
		fmt.Fprintf(c.err, "→ %s\n", printable(p.Remedy.Summary))
	}
	for _, line := range p.Remedy.Commands {
		fmt.Fprintf(c.err, "    %s\n", printable(line))
	}
	if p.Type == "/problems/reason-missing" { // the node's words are for the console as well
		fmt.Fprintln(c.err, "    --reason \"…\"")
	}
}

func (c *terminal) printJSONError(p abi.Problem) {
	e := json.NewEncoder(c.err)
	e.SetEscapeHTML(false)
	_ = e.Encode(p)
}

// printFindings lists what a check said, with the fix for each.
func (c *terminal) printFindings(findings []abi.Finding) {
	for _, f := range findings {
		fmt.Fprintf(c.err, "  - %s: %s\n", f.Severity, printable(f.Message))
		if e := f.Exempted; e != nil {
			fmt.Fprintf(c.err, "      exempted in %s until %s, because: %s; instead: %s\n", e.Request, e.Until.Format(time.DateOnly), printable(e.Reason), printable(e.Control))
		}
		if f.Remedy.Summary != "" {
			fmt.Fprintf(c.err, "      %s\n", printable(f.Remedy.Summary))
		}
		for _, line := range f.Remedy.Commands {
			fmt.Fprintf(c.err, "        %s\n", printableLines(line))
		}
	}
}

// exitOf is the exit status for what the node answered.
func exitOf(status int) int {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return exitNotAllowed
	case status == http.StatusNotFound, status == http.StatusGone:
		return exitNotFound
	case status == http.StatusConflict, status == http.StatusPreconditionFailed:
		return exitConflict
	case status == http.StatusUnprocessableEntity, status == http.StatusRequestEntityTooLarge,
		status == http.StatusBadRequest, status == http.StatusUnsupportedMediaType:
		return exitRefused
	}
	return exitFailure
}
