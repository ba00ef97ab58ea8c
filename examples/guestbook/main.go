package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/guest"
	"github.com/agora-host/agora/sdk/guest/kv"
	"github.com/agora-host/agora/sdk/guest/log"
)

func init() { guest.Handle(serve) }

func main() {}

// entry is what a guest wrote, under a key that sorts by time.
type entry struct {
	Name string    `json:"name"`
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

const shown = 50

func serve(r *guest.Request) guest.Response {
	if r.Path != "/" {
		return guest.Text(404, "There is only one page here.\n")
	}
	if r.Method == "POST" {
		return write(r)
	}
	entries, err := newest()
	if err != nil {
		log.Error("read entries: %v", err)
		return guest.Text(500, "The guestbook cannot be read just now.\n")
	}
	return guest.HTML(200, page(entries))
}

func write(r *guest.Request) guest.Response {
	e := entry{Name: strings.TrimSpace(r.Form("name")), Text: strings.TrimSpace(r.Form("text")), At: time.Now().UTC()}
	if e.Name == "" || e.Text == "" || len(e.Name) > 80 || len(e.Text) > 2000 {
		return guest.Text(422, "Write a name of at most 80 and a text of at most 2000 bytes.\n")
	}
	raw, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	switch err := kv.Set(fmt.Sprintf("entry/%020d", e.At.UnixNano()), raw); {
	case errors.Is(err, abi.ErrnoQuota):
		return guest.Text(507, "The guestbook is full.\n")
	case err != nil:
		log.Error("keep an entry: %v", err)
		return guest.Text(500, "That could not be kept.\n")
	}
	log.Info("entry by %q", e.Name)
	return guest.Redirect("/")
}

// newest reads the last entries, newest first.
func newest() ([]entry, error) {
	keys, err := kv.List("entry/")
	if err != nil {
		return nil, err
	}
	slices.Reverse(keys)
	var entries []entry
	for _, key := range keys[:min(shown, len(keys))] {
		raw, ok, err := kv.Get(key)
		if err != nil {
			return nil, err
		}
		var e entry
		if ok && json.Unmarshal(raw, &e) == nil {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

func page(entries []entry) string {
	var b strings.Builder
	b.WriteString(`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Guestbook</title>
<style>body{font:1.05rem/1.6 system-ui;margin:8vh auto;max-width:36rem;padding:0 1.5rem;color-scheme:light dark}input,textarea,button{font:inherit;padding:.45rem .7rem;width:100%;box-sizing:border-box;margin:.25rem 0}button{width:auto}article{border-top:1px solid #8884;padding:.8rem 0}article p{margin:.2rem 0;white-space:pre-wrap}small{opacity:.65}</style>
<h1>Guestbook</h1>
<form method="post"><input name="name" placeholder="Your name" maxlength="80" required aria-label="Your name"><textarea name="text" rows="3" placeholder="What do you want to say?" maxlength="2000" required aria-label="Your text"></textarea><button>Write</button></form>
`)
	for _, e := range entries {
		fmt.Fprintf(&b, "<article><p>%s</p><small>%s, %s</small></article>\n", html.EscapeString(e.Text), html.EscapeString(e.Name), e.At.Format("2 Jan 2006 15:04 MST"))
	}
	if len(entries) == 0 {
		b.WriteString("<p>There are no entries yet.</p>\n")
	}
	return b.String() + "</html>\n"
}
