package console

import (
	"net/http"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web"
)

// activity is what was changed.
type activity struct {
	*frame
	events web.Events
}

type activityView struct {
	base
	Events []abi.Event
	Pages  pager
}

func (a *activity) show(r *http.Request) (string, any, error) {
	b, err := a.base(r, "Activity", "activity")
	if err != nil {
		return "", nil, err
	}
	events, pages, err := listed(r, "events", shownItems, func(p control.Page) (control.Items[abi.Event], error) {
		return a.events.Events(r.Context(), control.EventFilter{Newest: true}, p)
	})
	return "activity", activityView{b, events, pages}, err
}
