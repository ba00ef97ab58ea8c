package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/agora-host/agora/control"
)

type callView struct {
	base
	Call control.Call
	Logs []control.LogLine
	// LogsFor is "" here: whoever sees a call sees its lines.
	LogsFor string
}

// calls is the box that leads from an id to its call.
func (c *Console) calls(r *http.Request) (string, any, error) {
	b, err := c.base(r, "Find a call", "usage")
	return "calls", callView{base: b}, err
}

// findCall leads from the box to the call's own address.
func (c *Console) findCall(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/calls/"+url.PathEscape(strings.TrimSpace(r.URL.Query().Get("id"))), http.StatusSeeOther)
}

// call shows one call: how it ended, what it cost and what it wrote.
func (c *Console) call(r *http.Request) (string, any, error) {
	at, _ := time.Parse(hourLayout, r.URL.Query().Get("at")) // what cannot be read is left out
	call, err := c.node.Call(r.Context(), r.URL.Query().Get("app"), r.PathValue("id"), at)
	if err != nil {
		return "", nil, err
	}
	b, err := c.base(r, "Call "+call.ID, "usage")
	return "call", callView{base: b, Call: call, Logs: call.Lines}, err
}
