package console

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web/problem"
)

// openCounts are how many open requests there are in each of the views of them, among the newest thousand.
type openCounts struct {
	Open, Overdue int
	Concerns      []concernCount
	More          bool // there are more than were counted
}

type concernCount struct {
	Concern access.Concern
	N       int
}

func (s *reviews) countOpen(r *http.Request) (c openCounts, err error) {
	open, err := s.asked.Requests(r.Context(), control.RequestFilter{Status: approvals.StatusOpen}, control.Page{Limit: control.MaxPageLimit})
	if err != nil {
		return c, err
	}
	c.Open, c.More = len(open.Items), open.Next != ""
	for _, concern := range access.Concerns() {
		n := 0
		for _, q := range open.Items {
			if control.Awaits(q, concern) {
				n++
			}
		}
		c.Concerns = append(c.Concerns, concernCount{concern, n})
	}
	for _, q := range open.Items {
		if q.Overdue() {
			c.Overdue++
		}
	}
	return c, nil
}

// Selects reports whether requests of the page can be selected, to be decided together.
func (v requestsView) Selects() bool {
	n := 0
	for _, q := range v.Waiting {
		if v.Rejects(q) {
			n++
		}
	}
	return n > 1
}

// decideSelected decides together about the requests that were selected, which ask for the same.
func (s *reviews) decideSelected(r *http.Request) (string, error) {
	verdict := r.FormValue("verdict")
	if verdict != "approve" && verdict != "reject" {
		return "", fmt.Errorf("%w: approve or reject", problem.ErrBadRequest)
	}
	v := control.ReleaseVerdict{Verdict: control.Verdict{Approve: verdict == "approve", Reason: r.FormValue("reason")}}
	for _, part := range r.Form["part"] {
		id, tag, _ := strings.Cut(part, " ")
		v.Parts = append(v.Parts, control.PartVerdict{ID: id, Tag: tag})
	}
	if len(v.Parts) == 0 {
		return "", fmt.Errorf("%w: select the requests that you decide about", problem.ErrBadRequest)
	}
	all, err := s.together.DecideAlike(r.Context(), v)
	done := "approved"
	for _, q := range all {
		if q.Status == approvals.StatusOpen {
			done = "voted"
		}
	}
	if verdict == "reject" {
		done = "rejected"
	}
	return "/requests?done=" + done, err
}
