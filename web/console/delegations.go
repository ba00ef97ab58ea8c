package console

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
)

// Delegates reports whether the reader may have another decide in their place.
func (v settingsView) Delegates() bool {
	return access.Allowed(v.Actor, access.Delegate, access.Person(v.Actor.User))
}

// delegate has another reviewer decide in the actor's place: on whole days of UTC, as the form says. Without
// one the actor is away.
func (s *settings) delegate(r *http.Request) (string, error) {
	n := control.NewDelegation{To: strings.TrimSpace(r.FormValue("to")), Reason: r.FormValue("reason")}
	for _, c := range r.Form["concern"] {
		n.Concerns = append(n.Concerns, access.Concern(c))
	}
	var err error
	if from := r.FormValue("from"); from != "" {
		if n.From, err = dayOf(from); err != nil {
			return "", err
		}
	}
	done := "delegated"
	if n.To == "" {
		done = "away"
	}
	if n.Until, err = dayOf(r.FormValue("until")); err != nil {
		return "", err
	}
	n.Until = n.Until.AddDate(0, 0, 1)
	_, err = s.inPlace.Delegate(r.Context(), n)
	return "/settings?done=" + done, err
}

func dayOf(text string) (time.Time, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return t, fmt.Errorf("%w: %.40q is no day such as 2026-12-01", access.ErrBadDelegation, text)
	}
	return t, nil
}

func (s *settings) endDelegation(r *http.Request) (string, error) {
	return "/settings?done=undelegated", s.inPlace.EndDelegation(r.Context(), "", r.PathValue("id"))
}
