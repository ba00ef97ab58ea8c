//go:build !wasip1

package main

import (
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/guest"
	"github.com/agora-host/agora/sdk/guest/stream"
)

func TestEvents(t *testing.T) {
	r := stream.Collect(ticker(&guest.Request{Request: abi.Request{Method: "GET", Path: "/events", Query: "n=2"}}))
	if want := "event: tick\ndata: 1\n\nevent: tick\ndata: 2\n\nevent: done\ndata: \n\n"; string(r.Body) != want {
		t.Errorf("sent %q, want %q", r.Body, want)
	}
	if r := guest.Test(ticker, "GET", "/", ""); r.Status != 200 || !strings.Contains(string(r.Body), "EventSource") {
		t.Errorf("the page: %d %s", r.Status, r.Body)
	}
}
