package main

import (
	"fmt"
	"html"
	"slices"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/guest"
	"github.com/agora-host/agora/sdk/guest/events"
	"github.com/agora-host/agora/sdk/guest/kv"
)

func init() { guest.Handle(serve) }

func main() {}

func serve(r *guest.Request) guest.Response {
	switch r.Path {
	case "/":
		return page(50)
	case "/all":
		return page(1000)
	case "/notes":
		return publish(r)
	case "/events/notes":
		return only(r, abi.TriggerEvent, receive)
	case "/tasks/digest":
		return only(r, abi.TriggerCron, digest)
	}
	return guest.Text(404, "There is nothing here.\n")
}

// publish sends a note on its way. That it arrives is the node's affair.
func publish(r *guest.Request) guest.Response {
	text := strings.TrimSpace(r.Form("text"))
	if r.Method != "POST" || text == "" || len(text) > 500 {
		return guest.Text(422, "Write a text of at most 500 bytes.\n")
	}
	if _, err := events.Publish("note.written", []byte(text)); err != nil {
		return guest.Text(503, "That could not be sent: "+err.Error()+".\n")
	}
	return guest.Redirect("/")
}

// only lets through what the node itself sends.
func only(r *guest.Request, kind abi.TriggerKind, do func(guest.Trigger, []byte) error) guest.Response {
	t, ok := r.Trigger()
	if !ok || t.Kind != kind {
		return guest.Text(403, "Only the node calls this.\n")
	}
	if err := do(t, r.Body); err != nil {
		return guest.Text(422, err.Error()+"\n")
	}
	return guest.Response{Status: 204}
}

// receive keeps a note under its event's id: to do it twice does no harm.
func receive(t guest.Trigger, text []byte) error {
	if string(text) == "poison" {
		return fmt.Errorf("this one cannot be swallowed")
	}
	return kv.Set(fmt.Sprintf("note/%s %s", t.Time.Format("20060102T150405.000000000"), t.ID), text)
}

func digest(guest.Trigger, []byte) error {
	notes, err := kv.List("note/")
	if err != nil {
		return err
	}
	return kv.Set("digest", fmt.Appendf(nil, "%d notes", len(notes)))
}

func page(most int) guest.Response {
	keys, err := kv.List("note/")
	if err != nil {
		return guest.Text(500, "The notes cannot be read just now.\n")
	}
	var b strings.Builder
	b.WriteString(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Relay</title><h1>Relay</h1>
<form method="post" action="/notes"><input name="text" maxlength="500" required aria-label="A note"><button>Send</button></form>
`)
	if last, ok, _ := kv.Get("digest"); ok {
		fmt.Fprintf(&b, "<p>Last digest: %s.</p>\n", html.EscapeString(string(last)))
	}
	slices.Reverse(keys)
	for _, key := range keys[:min(most, len(keys))] {
		if text, ok, _ := kv.Get(key); ok {
			fmt.Fprintf(&b, "<p>%s</p>\n", html.EscapeString(string(text)))
		}
	}
	return guest.HTML(200, b.String()+"</html>\n")
}
