package outlet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/agora-host/agora/notices"
)

// Hook is one webhook.
type Hook struct {
	c      HookConfig
	client *http.Client
	now    func() time.Time
}

// HookOptions are what all webhooks share.
type HookOptions struct {
	// Judge is asked with each address that is about to be connected to, after all resolution.
	Judge func(ctx context.Context, network, address string, c syscall.RawConn) error
	// Now is the clock.
	Now func() time.Time
}

// Bounds of one call.
const (
	hookDial   = 10 * time.Second
	hookWithin = 30 * time.Second
	hookReply  = 4 << 10 // of a response, to tell what it said
)

// NewHook makes a Hook. It calls nothing.
func NewHook(c HookConfig, o HookOptions) *Hook {
	d := &net.Dialer{Timeout: hookDial, ControlContext: o.Judge}
	transport := &http.Transport{
		DialContext: d.DialContext, TLSHandshakeTimeout: hookDial, ResponseHeaderTimeout: hookWithin,
		MaxResponseHeaderBytes: 16 << 10, MaxConnsPerHost: 2, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
	}
	return &Hook{c: c, now: o.Now, client: &http.Client{
		Transport: transport, Timeout: hookWithin,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Name names the webhook.
func (h *Hook) Name() string { return h.c.Name }

// Kinds are the kinds of events that it is sent.
func (h *Hook) Kinds() []string { return h.c.kinds }

// Send makes a call. Any response of the 200s says that it was taken; 410 that no more are wanted.
func (h *Hook) Send(ctx context.Context, c notices.Call) error {
	body, media, err := formats[h.c.Format](c)
	if err != nil {
		return &notices.RefusedError{Err: err}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.c.url.String(), bytes.NewReader(body))
	if err != nil {
		return &notices.RefusedError{Err: errors.New("its address cannot be called")}
	}
	r.Header.Set("Content-Type", media)
	r.Header.Set("User-Agent", "Agora")
	if h.c.key != nil {
		at := strconv.FormatInt(h.now().Unix(), 10)
		r.Header.Set("Webhook-Id", c.ID)
		r.Header.Set("Webhook-Timestamp", at)
		r.Header.Set("Webhook-Signature", sign(h.c.key, c.ID, at, body))
	}
	response, err := h.client.Do(r)
	if err != nil {
		return fmt.Errorf("webhook %s: %w", h.c.Name, withoutAddress(err))
	}
	defer response.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(response.Body, hookReply))
	switch {
	case response.StatusCode/100 == 2:
		return nil
	case response.StatusCode == http.StatusGone:
		return &notices.RefusedError{Err: fmt.Errorf("webhook %s: it says that it is gone (410)", h.c.Name)}
	}
	return fmt.Errorf("webhook %s: it responded with %d: %.200q", h.c.Name, response.StatusCode, said)
}

// withoutAddress takes the address out of an error: it can be a secret.
func withoutAddress(err error) error {
	if bad, ok := errors.AsType[*url.Error](err); ok {
		return bad.Err
	}
	return err
}
