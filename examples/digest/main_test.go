//go:build !wasip1

package main

import (
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/guest"
	"github.com/agora-host/agora/sdk/guest/config"
	"github.com/agora-host/agora/sdk/guest/fetch"
	"github.com/agora-host/agora/sdk/guest/llm"
	"github.com/agora-host/agora/sdk/guest/stream"
)

func TestDigest(t *testing.T) {
	config.Set("page", "https://example.com/")
	config.Set("model", "small")
	fetch.Serve("https://example.com", func(abi.Request) abi.Response {
		return abi.Response{Status: 200, Body: []byte("<head><title>x</title></head><script>evil()</script><h1>One &amp; all</h1>\n<p>Two</p>")}
	})
	var asked string
	llm.Answer("small", func(r abi.ChatRequest) string {
		asked = *r.Messages[1].Content
		return "It is short."
	})
	if r := guest.Test(digest, "GET", "/text", ""); r.Status != 200 || string(r.Body) != "One & all Two" {
		t.Errorf("%d %q", r.Status, r.Body)
	}
	r := stream.Collect(digest(&guest.Request{Request: abi.Request{Method: "GET", Path: "/digest"}}))
	if want := "event: bit\ndata: It \n\nevent: bit\ndata: is \n\nevent: bit\ndata: short.\n\n"; !strings.HasPrefix(string(r.Body), want) || !strings.Contains(string(r.Body), "by small") || asked != "One & all Two" {
		t.Errorf("asked %q, sent %q", asked, r.Body)
	}
	llm.Reset()
	r = stream.Collect(digest(&guest.Request{Request: abi.Request{Method: "GET", Path: "/digest"}}))
	if !strings.Contains(string(r.Body), "event: trouble\ndata: llm small: not granted") {
		t.Errorf("without a model: %q", r.Body)
	}
	if r := guest.Test(digest, "GET", "/", ""); !strings.Contains(string(r.Body), "EventSource") {
		t.Errorf("the page: %q", r.Body)
	}
}
