package console

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web/problem"
)

// selects reports whether requests of the page can be selected, to be decided together.
func (v requestsView) selects() bool {
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
