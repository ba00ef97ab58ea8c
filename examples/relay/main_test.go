//go:build !wasip1

package main

import (
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/guest"
	"github.com/agora-host/agora/sdk/guest/events"
	"github.com/agora-host/agora/sdk/guest/kv"
)

func TestRelay(t *testing.T) {
	kv.Reset()
	events.Published()
	if got := guest.Test(serve, "POST", "/notes", "text=hello"); got.Status != 303 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	sent := events.Published()
	if len(sent) != 1 || sent[0].Topic != "note.written" {
		t.Fatalf("%+v", sent)
	}
	arrived := guest.Called(guest.Trigger{Kind: abi.TriggerEvent, Name: "relay/note.written", ID: "1"}, "/events/notes", "<b>hello")
	for range 2 { // delivered twice, kept once
		if got := serve(arrived); got.Status != 204 {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
	}
	if got := serve(guest.Called(guest.Trigger{Kind: abi.TriggerCron, Name: "digest"}, "/tasks/digest", "")); got.Status != 204 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if got := string(guest.Test(serve, "GET", "/", "").Body); !strings.Contains(got, "1 notes") || strings.Contains(got, "<b>") || !strings.Contains(got, "hello") {
		t.Errorf("%s", got)
	}
	if got := guest.Test(serve, "POST", "/events/notes", "x=1"); got.Status != 403 {
		t.Errorf("a stranger: %d", got.Status)
	}
}
