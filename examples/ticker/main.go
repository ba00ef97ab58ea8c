package main

import (
	"strconv"
	"time"

	"github.com/agora-host/agora/sdk/guest"
	"github.com/agora-host/agora/sdk/guest/stream"
)

func init() { guest.Handle(ticker) }

func main() {}

// pause is how long the app sleeps between two events. It costs host time, and
// no instructions.
const pause = 500 * time.Millisecond

func ticker(r *guest.Request) guest.Response {
	if r.Path != "/events" {
		return guest.HTML(200, page)
	}
	ticks, err := strconv.Atoi(r.Query("n"))
	if err != nil || ticks < 1 || ticks > 8 {
		ticks = 8
	}
	return stream.Events(func(send func(event, data string)) error {
		for i := range ticks {
			if i > 0 {
				time.Sleep(pause)
			}
			send("tick", strconv.Itoa(i+1))
		}
		send("done", "")
		return nil
	})
}

const page = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Ticker</title>
<style>body{font:1.1rem/1.6 system-ui;margin:18vh auto;max-width:34rem;padding:0 1.5rem;color-scheme:light dark}h1{font-size:5rem;margin:0}</style>
<h1 id="n">…</h1>
<p id="say">Each number was sent while the app ran.</p>
<script>
const events = new EventSource("/events");
events.addEventListener("tick", e => { document.getElementById("n").textContent = e.data });
events.addEventListener("done", () => { events.close(); document.getElementById("say").textContent = "That was one request." });
</script>
</html>
`
