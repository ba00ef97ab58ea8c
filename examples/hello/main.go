package main

import (
	"html"

	"github.com/agora-host/agora/sdk/guest"
	"github.com/agora-host/agora/sdk/guest/config"
	"github.com/agora-host/agora/sdk/guest/log"
)

func init() { guest.Handle(hello) }

func main() {}

func hello(r *guest.Request) guest.Response {
	name := r.Query("name")
	if name == "" {
		name = "world"
	}
	log.Info("greeting %q", name)
	return guest.HTML(200, `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Hello</title>
<style>body{font:1.1rem/1.6 system-ui;margin:18vh auto;max-width:34rem;padding:0 1.5rem;color-scheme:light dark}h1{font-size:2.6rem;margin:0}input,button{font:inherit;padding:.4rem .7rem}</style>
<h1>`+html.EscapeString(config.Get("greeting", "Hello"))+`, `+html.EscapeString(name)+`!</h1>
<p>A WebAssembly app of a few lines, signed, limited and metered by Agora.</p>
<form><input name="name" placeholder="Your name" aria-label="Your name"> <button>Greet me</button></form>
</html>
`)
}
