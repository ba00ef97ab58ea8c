package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web"
)

// calls are the pages of single calls.
type calls struct {
	*frame
	ended web.Calls
}

type callView struct {
	base
	Call control.Call
	Logs []control.LogLine
	// LogsFor is "" here: a person who sees a call sees its lines.
	LogsFor string
}

// box is the box that leads from an id to its call.
func (c *calls) box(r *http.Request) (string, any, error) {
	b, err := c.base(r, "Find a call", "usage")
	return "calls", callView{base: b}, err
}

// find leads from the box to the call's own address.
func (c *calls) find(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/calls/"+url.PathEscape(strings.TrimSpace(r.URL.Query().Get("id"))), http.StatusSeeOther)
}

// show shows one call: how it ended, what it cost and what it wrote.
func (c *calls) show(r *http.Request) (string, any, error) {
	at, _ := time.Parse(hourLayout, r.URL.Query().Get("at")) // what cannot be read is left out
	call, err := c.ended.Call(r.Context(), r.URL.Query().Get("app"), r.PathValue("id"), at)
	if err != nil {
		return "", nil, err
	}
	b, err := c.base(r, "Call "+call.ID, "usage")
	return "call", callView{base: b, Call: call, Logs: call.Lines}, err
}
