package main

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/guest"
	"github.com/agora-host/agora/sdk/guest/kv"
	"github.com/agora-host/agora/sdk/guest/log"
	"github.com/agora-host/agora/sdk/guest/secret"
)

func init() { guest.Handle(serve) }

func main() {}

func serve(r *guest.Request) guest.Response {
	code := strings.TrimPrefix(r.Path, "/")
	switch {
	case code == "" && r.Method == "POST":
		return shorten(r)
	case code == "":
		return guest.HTML(200, page(""))
	}
	return follow(code)
}

// follow leads on, and counts.
func follow(code string) guest.Response {
	target, ok, err := kv.Get("link/" + code)
	switch {
	case err != nil:
		return trouble(err)
	case !ok:
		return guest.Text(404, "There is no such link, or it has ended.\n")
	}
	err = kv.Update("visits/"+code, func(old []byte) []byte {
		n, _ := strconv.Atoi(string(old)) // nothing yet is none
		return strconv.AppendInt(nil, int64(n)+1, 10)
	})
	if err != nil {
		log.Warn("a visit of %s was not counted: %v", code, err)
	}
	return guest.Redirect(string(target))
}

// shorten makes a link.
func shorten(r *guest.Request) guest.Response {
	known, err := knows(r.Form("passphrase"))
	if err != nil {
		return trouble(err)
	}
	if !known {
		return guest.HTML(403, page("That is not the passphrase."))
	}
	target, err := url.Parse(strings.TrimSpace(r.Form("url")))
	if err != nil || target.Host == "" || (target.Scheme != "https" && target.Scheme != "http") {
		return guest.HTML(422, page("Write an address that begins with https:// or http://."))
	}
	days, err := strconv.Atoi(r.Form("days"))
	if err != nil || days < 0 || days > 3650 {
		return guest.HTML(422, page("Write a number of days, or 0 for ever."))
	}
	code, err := add(target.String(), time.Duration(days)*24*time.Hour)
	if errors.Is(err, abi.ErrnoQuota) {
		return guest.HTML(507, page("There is no room for more links."))
	}
	if err != nil {
		return trouble(err)
	}
	log.Info("link %s for %d days", code, days)
	return guest.HTML(201, page("Your link is <a href=\"/"+code+"\">"+html.EscapeString(r.Host)+"/"+code+"</a>."))
}

// add finds a code that is free, even if others look at the same time.
func add(target string, ttl time.Duration) (code string, err error) {
	for added := false; !added; {
		code = strings.ToLower(rand.Text()[:6])
		if added, err = kv.AddFor("link/"+code, []byte(target), ttl); err != nil {
			return "", err
		}
	}
	return code, nil
}

// knows reports whether a passphrase is the right one. If none is set, all are.
func knows(passphrase string) (bool, error) {
	want, err := secret.Get("passphrase")
	if errors.Is(err, abi.ErrnoNotFound) {
		return true, nil
	}
	return subtle.ConstantTimeCompare([]byte(passphrase), []byte(want)) == 1, err
}

func trouble(err error) guest.Response {
	log.Error("%v", err)
	return guest.Text(500, "That did not work just now.\n")
}

func page(message string) string {
	if message != "" {
		message = "<p role=\"status\">" + message + "</p>"
	}
	return fmt.Sprintf(`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Short links</title>
<style>body{font:1.05rem/1.6 system-ui;margin:10vh auto;max-width:32rem;padding:0 1.5rem;color-scheme:light dark}input,button{font:inherit;padding:.45rem .7rem;width:100%%;box-sizing:border-box;margin:.25rem 0 .75rem}button{width:auto}[role=status]{padding:.6rem .9rem;border-radius:.6rem;background:#8882}</style>
<h1>Short links</h1>
%s
<form method="post"><label>Where should it lead?<input name="url" type="url" placeholder="https://example.com/a/long/address" required></label>
<label>For how many days? 0 is for ever.<input name="days" type="number" min="0" max="3650" value="30"></label>
<label>Passphrase, if there is one<input name="passphrase" type="password" autocomplete="off"></label><button>Make it short</button></form>
</html>
`, message)
}
