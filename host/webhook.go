package host

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/gate"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/triggers"
	"github.com/agora-host/agora/triggers/webhook"
)

// maxWebhook bounds a webhook's body, in bytes, below what the app takes.
const maxWebhook = 1 << 20

// hook finds the webhook that a path belongs to.
func (t *target) hook(path string) *registry.WebhookTrigger {
	all := t.release.Manifest.Triggers.Webhook
	for i := range all {
		if all[i].Path == path {
			return &all[i]
		}
	}
	return nil
}

// takeHook verifies a webhook before the app sees it, and calls the app or queues
// it. What was delivered and comes again is acknowledged, and not delivered.
func (t *target) takeHook(ctx context.Context, id string, w *registry.WebhookTrigger, r *http.Request, stream abi.Stream) (abi.Response, error) {
	h, ref := t.host, triggers.Ref{App: t.app.Name, Kind: abi.TriggerWebhook, Name: w.Name}
	if r.Method != http.MethodPost {
		return t.shakeHands(ctx, id, w, r, stream)
	}
	body, err := gateway.ReadBody(r, min(int64(t.release.Manifest.Limits.RequestBody), maxWebhook))
	if err != nil {
		return abi.Response{}, err
	}
	if len(body) == 0 {
		if reply, ok := webhook.Handshake(r); ok {
			return reply, nil
		}
	}
	proof, err := t.verifyHook(ctx, w, r.Header, body)
	if err != nil {
		return abi.Response{}, err
	}
	if reply, ok := webhook.Challenge(w.Verify, body); ok {
		return reply, nil
	}
	if h.Triggers.Paused(ref) && w.Deliver != registry.DeliverQueue {
		return abi.Response{}, fmt.Errorf("webhook %s is paused: %w", w.Name, triggers.ErrLater)
	}
	claim, seen, err := h.Triggers.Claim(ref, proof.Once)
	if err != nil || seen {
		return abi.Response{Status: http.StatusOK}, err
	}
	defer claim.Release() // unless it is kept, or queued, below
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	event := cmp.Or(proof.ID, id)
	if w.Deliver == registry.DeliverQueue {
		return t.queueHook(ctx, ref, event, r, body, claim)
	}
	resp, err := t.callHook(ctx, id, ref, event, r, stream)
	if err != nil || resp.Status < 200 || resp.Status > 299 {
		return resp, err
	}
	return resp, claim.Keep(ctx)
}

// shakeHands returns the response to what is no webhook itself. The app sees what only it can
// judge, marked as unverified and without a body, so that it is not taken for a webhook.
func (t *target) shakeHands(ctx context.Context, id string, w *registry.WebhookTrigger, r *http.Request, stream abi.Stream) (abi.Response, error) {
	if reply, ok := webhook.Handshake(r); ok {
		return reply, nil
	}
	if r.Method != http.MethodGet || !webhook.AboutSubscription(r.URL.Query()) {
		return abi.Response{}, fmt.Errorf("%w: a webhook is a POST", webhook.ErrMethod)
	}
	r.Body, r.ContentLength = http.NoBody, 0
	result, err := t.call(ctx, metering.TriggerHTTP, id, r, stream, abi.Field{Name: abi.UnverifiedHeader, Value: w.Name})
	return result.Response, err
}

// verifyHook returns no more to the sender than that it is refused; the app's log has the reason.
func (t *target) verifyHook(ctx context.Context, w *registry.WebhookTrigger, header http.Header, body []byte) (webhook.Proof, error) {
	secret, err := t.host.lines.open(ctx, t.app.Name, w.Secret)
	var proof webhook.Proof
	if err == nil {
		proof, err = webhook.Verify(w.Verify, header, w.Header, body, secret, t.host.o.Now())
	}
	if err == nil {
		return proof, nil
	}
	t.host.lines.tell(t.app.Name, t.release.Number, abi.Finding{
		Code: "webhook.refused", Subject: w.Name, Message: fmt.Sprintf("A request to webhook %s was refused: %v.", w.Name, err),
		Remedy: abi.Remedy{Summary: "Set the secret that the other service signs with.", Commands: []string{fmt.Sprintf("agora secrets set %s %s", t.app.Name, w.Secret)}},
	})
	return proof, webhook.ErrRefused
}

// callHook calls the app, whose response is the webhook's.
func (t *target) callHook(ctx context.Context, id string, ref triggers.Ref, event string, r *http.Request, stream abi.Stream) (abi.Response, error) {
	result, err := t.call(ctx, string(abi.TriggerWebhook), id, r, stream, triggerHeader(abi.TriggerWebhook, ref.Name, event, 1, t.host.o.Now())...)
	outcome := err
	if status := result.Response.Status; err == nil && (status < 200 || status > 299) {
		outcome = fmt.Errorf("it returned %d", status)
	}
	t.host.Triggers.Observe(ref, event, outcome)
	return result.Response, err
}

// queueHook responds once the webhook is durable. It is delivered to what the app serves then.
func (t *target) queueHook(ctx context.Context, ref triggers.Ref, event string, r *http.Request, body []byte, claim *triggers.Claim) (abi.Response, error) {
	var frame abi.Request
	if err := gateway.Frame(&frame, r, int64(len(body)), gate.Ours); err != nil {
		return abi.Response{}, err
	}
	err := t.host.Triggers.Enqueue(ctx, triggers.Delivery{
		ID: event, Ref: ref, From: ref.App, At: t.host.o.Now(), Header: frame.Header, Body: body,
	}, claim)
	if err != nil {
		return abi.Response{}, err
	}
	return abi.Response{
		Status: http.StatusAccepted, Header: []abi.Field{{Name: "Content-Type", Value: "application/json"}},
		Body: fmt.Appendf(nil, "{\"id\": %q}\n", event),
	}, nil
}
