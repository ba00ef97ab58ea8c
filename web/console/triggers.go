package console

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/problem"
)

// automation are the acts on what calls an app besides requests.
type automation struct{ triggers web.Automation }

func (a *automation) pauseTrigger(r *http.Request) (string, error) {
	paused := r.FormValue("paused") != ""
	_, err := a.triggers.PauseTrigger(r.Context(), triggerOf(r), paused, r.FormValue("reason"))
	if paused {
		return appPage(r, "paused"), err
	}
	return appPage(r, "resumed"), err
}

func (a *automation) runTrigger(r *http.Request) (string, error) {
	_, err := a.triggers.RunTrigger(r.Context(), r.PathValue("app"), r.FormValue("name"))
	return appPage(r, "begun"), err
}

func letterOf(r *http.Request) (uint64, error) {
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %q is no number of a dead letter", problem.ErrBadRequest, r.PathValue("seq"))
	}
	return seq, nil
}

func (a *automation) redeliver(r *http.Request) (string, error) {
	seq, err := letterOf(r)
	if err != nil {
		return "", err
	}
	_, err = a.triggers.Redeliver(r.Context(), r.PathValue("app"), seq)
	return appPage(r, "resent"), err
}

func (a *automation) deleteDeadLetter(r *http.Request) (string, error) {
	seq, err := letterOf(r)
	if err != nil {
		return "", err
	}
	_, err = a.triggers.DropDeadLetter(r.Context(), r.PathValue("app"), seq)
	return appPage(r, "dropped"), err
}
