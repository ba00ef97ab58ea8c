package fetch

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/agora-host/agora/abi"
)

// send makes one request. location is where the response redirects to.
func (g *grant) send(ctx context.Context, h *hop) (answer *abi.Response, location string, err error) {
	header := h.header
	if !h.left {
		if header, err = g.withCredentials(ctx, h); err != nil {
			return nil, "", err
		}
	}
	r := &http.Request{Method: h.method, URL: h.url, Header: header, Host: h.url.Host, ContentLength: int64(len(h.body)), Body: http.NoBody}
	if len(h.body) > 0 {
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(h.body)), nil }
		r.Body, _ = r.GetBody()
	}
	note := func(meter string, n int) {
		abi.Note(ctx, abi.Use{Capability: "fetch", Meter: meter, Subject: h.origin.String(), N: uint64(n)})
	}
	var left atomic.Bool
	r = r.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { left.Store(true) }}))
	resp, err := g.client.transport.RoundTrip(r)
	if left.Load() { // it is billed whatever comes back, credentials included
		note(abi.MeterCalls, 1)
		note(abi.MeterBytesSent, len(h.method)+len(h.url.RequestURI())+sizeOf(header)+len(h.body))
	}
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	note(abi.MeterBytesReceived, sizeOf(resp.Header))
	if resp.StatusCode < 200 || resp.StatusCode > 599 || len(resp.Header) > abi.MaxHeaders {
		return nil, "", errStatus
	}
	body, err := g.read(resp)
	note(abi.MeterBytesReceived, len(body))
	if err != nil {
		return nil, "", err
	}
	if redirects(resp.StatusCode) {
		location = resp.Header.Get("Location")
	}
	return &abi.Response{Status: resp.StatusCode, Header: fieldsOf(resp.Header), Body: body}, location, nil
}

func redirects(status int) bool {
	return slices.Contains([]int{301, 302, 303, 307, 308}, status)
}

// read reads a body up to the grant's limit. What was read is answered even
// when it fails: it was paid for.
func (g *grant) read(resp *http.Response) ([]byte, error) {
	if resp.ContentLength > g.maxResponse && resp.Request.Method != http.MethodHead {
		return nil, errTooLarge
	}
	var b bytes.Buffer
	if n := resp.ContentLength; n > 0 && resp.Request.Method != http.MethodHead {
		b.Grow(int(n) + bytes.MinRead)
	}
	n, err := b.ReadFrom(io.LimitReader(resp.Body, g.maxResponse+1))
	if err == nil && n > g.maxResponse {
		err = errTooLarge
	}
	return b.Bytes(), err
}

// connectionHeaders are about the connection, which the app does not have.
var connectionHeaders = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Trailer", "Upgrade", "Alt-Svc", "Te"}

// fieldsOf are the headers for the app, sorted by name.
func fieldsOf(header http.Header) []abi.Field {
	for _, name := range connectionHeaders {
		header.Del(name)
	}
	fields := make([]abi.Field, 0, len(header))
	for name, values := range header {
		for _, value := range values {
			fields = append(fields, abi.Field{Name: name, Value: value})
		}
	}
	slices.SortStableFunc(fields, func(a, b abi.Field) int { return strings.Compare(a.Name, b.Name) })
	return fields[:min(len(fields), abi.MaxHeaders)]
}

func sizeOf(header http.Header) (n int) {
	for name, values := range header {
		for _, value := range values {
			n += len(name) + len(value)
		}
	}
	return n
}
