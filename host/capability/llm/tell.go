package llm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/agora-host/agora/abi"
)

var (
	errNoModels   = errors.New("this node has no models")
	errUnknown    = errors.New("this node has no model of that name")
	errNotGranted = errors.New("the app's grant does not list it")
	errClassified = errors.New("it may not see data of the app's classification")
	errContext    = errors.New("the messages and the answer do not fit into its context")
	errTooMany    = errors.New("the app asks more often than its grant allows")
)

// isPolicy tells whether an error is a decision, not a failure.
func isPolicy(err error) bool { return errors.Is(err, errNotGranted) || errors.Is(err, errClassified) }

// meterOf is what an error is counted as.
func meterOf(err error) string {
	switch {
	case isPolicy(err):
		return abi.MeterDenied
	case errors.Is(err, abi.ErrnoQuota):
		return abi.MeterOver
	}
	return abi.MeterFailed
}

// another tells whether the next model of a chain may do better.
func another(ctx context.Context, err error) bool {
	status, refused := errors.AsType[statusError](err)
	own := []statusError{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}
	return ctx.Err() == nil && !(refused && slices.Contains(own, status))
}

// tell lets the owner know. Upstreams and their addresses are not for owners.
func (g *grant) tell(ctx context.Context, model string, err error) {
	f := abi.Finding{Code: "llm.failed", Severity: abi.SeverityNote, Path: "capabilities.llm", Subject: model}
	f.Remedy.Summary = "Try again later, or ask the node's operator."
	switch {
	case errors.Is(err, errNoModels), errors.Is(err, errUnknown):
		f.Code, f.Remedy.Summary = "llm.no_model", "Ask the node's operator which models there are."
	case errors.Is(err, errNotGranted):
		f.Code, f.Severity, f.Path = "llm.not_granted", abi.SeverityDeny, "capabilities.llm.models"
		f.Remedy = abi.Remedy{Summary: "Add it to agora.toml and publish again; a reviewer decides.", Commands: []string{fmt.Sprintf("[capabilities.llm]\nmodels = [%q]", model)}}
	case errors.Is(err, errClassified):
		f.Code, f.Severity, f.Path = "llm.classification", abi.SeverityDeny, "data_classification"
		f.Remedy.Summary = "Choose a model that may see such data; the node's operator says which."
	case errors.Is(err, errTooMany):
		f.Code, f.Remedy.Summary = "llm.too_many", "Ask less often, or raise max_calls or per_minute and publish again."
	case errors.Is(err, abi.ErrnoQuota):
		f.Code, f.Path = "llm.over_budget", "capabilities.llm.daily_cents"
		err = errors.New("it could cost more than is left of the app's day")
		f.Remedy.Summary = "Wait until tomorrow (UTC), ask for shorter answers with max_tokens, or raise daily_cents and publish again."
	case errors.Is(err, errContext):
		f.Code, f.Remedy.Summary = "llm.context", "Send less, or use a model with more context."
	case errors.Is(err, errSlow), errors.Is(err, errBroken), errors.Is(err, errAnswer), errors.Is(err, errEndless):
	default:
		if status, refused := errors.AsType[statusError](err); refused {
			err = status
		} else {
			err = errors.New("it cannot be reached")
		}
	}
	f.Message = fmt.Sprintf("A call of the model %q failed: %s.", model, inWords(err))
	g.o.Tell(ctx, g.app, f)
}

// inWords is the part of an error that is our own.
func inWords(err error) string {
	for _, own := range []error{errSlow, errBroken, errAnswer, errEndless} {
		if errors.Is(err, own) {
			return own.Error()
		}
	}
	return err.Error()
}
