package llm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/agora-host/agora/abi"
)

var (
	errNoModels   = errors.New("this node has no models")
	errUnknown    = errors.New("this node has no model of that name")
	errNotGranted = errors.New("the app's grant does not list it")
	errClassified = errors.New("it may not see data of the app's classification")
	errContext    = errors.New("the messages and the answer do not fit into its context")
	errTooMany    = errors.New("the app asks more often than its grant allows")
	errBusy       = fmt.Errorf("%d calls of the app run already, and none of them ended in time", maxAtOnce)
	errOpen       = fmt.Errorf("%d streams of this request are open already", maxOpen)
	errHandle     = errors.New("this request has no stream of that handle")
	errLedger     = errors.New("the node cannot write down what it would cost")
)

// isPolicy reports whether an error is a decision, not a failure.
func isPolicy(err error) bool { return errors.Is(err, errNotGranted) || errors.Is(err, errClassified) }

// meterOf is what an error is counted as.
func meterOf(err error) string {
	switch {
	case isPolicy(err):
		return abi.MeterDenied
	case errors.Is(err, abi.ErrnoQuota):
		return abi.MeterQuotaExceeded
	}
	return abi.MeterFailed
}

// another reports whether the next model of a chain may do better.
func another(ctx context.Context, err error) bool {
	status, _ := errors.AsType[statusError](err)
	return ctx.Err() == nil && !status.wrong()
}

// tell lets the owner know. Upstreams and their addresses are not for owners.
func (g *grant) tell(ctx context.Context, model string, err error) {
	f := abi.Finding{Code: "llm.failed", Severity: abi.SeverityInfo, Path: "capabilities.llm", Subject: model}
	wrong, isRequest := errors.AsType[*abi.ChatError](err)
	switch {
	case isRequest:
		f.Code, f.Subject = "llm.request", wrong.Why
		f.Remedy.Summary = "Change the request that the app sends; docs/llm.md lists what is passed on."
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
	case errors.Is(err, errBusy), errors.Is(err, errOpen):
		f.Code, f.Remedy.Summary = "llm.at_once", "Read streams to their end or close them, and ask for less at once."
	case errors.Is(err, errHandle):
		f.Code, f.Remedy.Summary = "llm.handle", "A stream ends with its request and when it is closed; open another."
	case errors.Is(err, abi.ErrnoQuota):
		f.Code, f.Path = "llm.over_budget", "capabilities.llm.daily_cents"
		err = errors.New("it could cost more than is left of the app's day")
		f.Remedy.Summary = "Wait until tomorrow (UTC), ask for shorter answers with max_tokens, or raise daily_cents and publish again."
	case errors.Is(err, errContext):
		f.Code, f.Remedy.Summary = "llm.context", "Send less, or use a model with more context."
	default:
		f.Remedy.Summary, err = inWords(err)
	}
	f.Message = fmt.Sprintf("A call of the model %q failed: %v.", model, err)
	if model == "" {
		f.Message = fmt.Sprintf("A call of a model failed: %v.", err)
	}
	g.o.Tell(ctx, g.app, f)
}

// inWords is the part of a failure that is our own, and what its reader can do about it.
func inWords(err error) (remedy string, own error) {
	const later = "Try again later, or ask the node's operator."
	for own, remedy := range map[error]string{
		errSlow: later, errBroken: later, errFailed: later, errLedger: "Ask the node's operator.",
		errAnswer:  "Ask the node's operator: what is behind the model may speak no chat completions.",
		errEndless: "Ask for shorter answers with max_tokens, or ask the node's operator.",
	} {
		if errors.Is(err, own) {
			return remedy, own
		}
	}
	status, refused := errors.AsType[statusError](err)
	switch {
	case !refused:
		return later, errors.New("it cannot be reached")
	case status.wrong():
		return "The model does not take the request as it is: check its messages and tools, and leave out fields that not every model knows.", status
	case slices.Contains([]int{http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound}, status.code):
		return "Ask the node's operator: the model's key, account or id is not accepted, and no request of the app can change that.", status
	}
	return later, status
}

// tellDropped lets the owner know what was left out of messages.
func (g *grant) tellDropped(ctx context.Context, fields []string) {
	names := strings.Join(fields[:min(len(fields), 8)], ", ")
	f := abi.Finding{Code: "llm.dropped", Severity: abi.SeverityInfo, Path: "capabilities.llm", Subject: names}
	f.Message = fmt.Sprintf("Messages of the assistant have fields that no model is sent: %s.", names)
	f.Remedy.Summary = "Nothing has to be done if the app only hands back an answer; docs/llm.md says what is passed on."
	g.o.Tell(ctx, g.app, f)
}
