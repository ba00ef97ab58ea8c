// Package llm owns the host side of app:llm/v1: chat completions from the models
// that the operator configured.
//
// Invariants:
//   - a model runs only if the app's grant names it, the app's data may go there,
//     its price is known, and what it may cost at most is reserved from the app's
//     day; all of this is asked anew for each model of a fallback chain;
//   - what is noted and spent is what the provider counted, for the model that
//     really ran; a count that is missing or impossible is replaced by an estimate,
//     and marked as one;
//   - what began is settled, however it ends; what comes in place of a response costs nothing, and
//     until the app has a part of a response another model of the chain may be asked;
//   - whatever response an app got can be handed back, and no model is sent a field that it does not
//     take: reply.go reads the dialects of providers, run.go writes for one of them;
//   - neither keys nor addresses of providers reach an app, and neither prompts nor
//     responses are kept.
//
// It must not know how a ledger keeps what was spent, nor who decides about
// grants. A bound link is safe for concurrent use.
package llm
