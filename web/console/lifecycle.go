package console

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/problem"
)

// lifecycle are the acts that stop an app, remove it and hand it over.
type lifecycle struct{ apps web.Lifecycle }

func (l *lifecycle) suspendApp(r *http.Request) (string, error) {
	_, err := l.apps.SuspendApp(r.Context(), r.PathValue("app"), r.FormValue("reason"))
	return appPage(r, "suspended"), err
}

func (l *lifecycle) resumeApp(r *http.Request) (string, error) {
	_, err := l.apps.ResumeApp(r.Context(), r.PathValue("app"), r.FormValue("reason"))
	return appPage(r, "resumed"), err
}

func (l *lifecycle) maintainApp(r *http.Request) (string, error) {
	m := control.Maintain{Successor: strings.TrimSpace(r.FormValue("successor")), Reason: r.FormValue("reason")}
	if text := r.FormValue("until"); text != "" {
		var err error
		if m.Until, err = time.Parse(time.DateOnly, text); err != nil {
			return "", fmt.Errorf("%w: %.30q is no date", problem.ErrBadRequest, text)
		}
	}
	_, err := l.apps.MaintainApp(r.Context(), r.PathValue("app"), m)
	return appPage(r, "maintained"), err
}

func (l *lifecycle) endMaintenance(r *http.Request) (string, error) {
	_, err := l.apps.EndMaintenance(r.Context(), r.PathValue("app"), r.FormValue("reason"))
	return appPage(r, "unmaintained"), err
}

func (l *lifecycle) quarantineApp(r *http.Request) (string, error) {
	_, err := l.apps.QuarantineApp(r.Context(), r.PathValue("app"), r.FormValue("reason"))
	return appPage(r, "quarantined"), err
}

func (l *lifecycle) endQuarantine(r *http.Request) (string, error) {
	_, err := l.apps.EndQuarantine(r.Context(), r.PathValue("app"), r.FormValue("reason"))
	return appPage(r, "unquarantined"), err
}

// deleteApp deletes an app whose name was typed.
func (l *lifecycle) deleteApp(r *http.Request) (string, error) {
	app := r.PathValue("app")
	if r.FormValue("name") != app {
		return "", fmt.Errorf("%w: nothing was deleted; type the name of the app, %s, to delete it", problem.ErrBadRequest, app)
	}
	_, err := l.apps.DeleteApp(r.Context(), app, r.FormValue("reason"))
	return appPage(r, "deleting"), err
}

func (l *lifecycle) undeleteApp(r *http.Request) (string, error) {
	_, err := l.apps.UndeleteApp(r.Context(), r.PathValue("app"))
	return appPage(r, "undeleted"), err
}

func (l *lifecycle) transferApp(r *http.Request) (string, error) {
	app, err := l.apps.TransferApp(r.Context(), r.PathValue("app"), r.FormValue("to"), r.FormValue("reason"))
	if app.Offer != nil {
		return appPage(r, "offered"), err
	}
	return appPage(r, "handed"), err
}

func (l *lifecycle) shareApp(r *http.Request) (string, error) {
	with := control.Owners{CoOwner: strings.TrimSpace(r.FormValue("co_owner")), Group: r.FormValue("group")}
	_, err := l.apps.ShareApp(r.Context(), r.PathValue("app"), with, r.FormValue("reason"))
	return appPage(r, "shared"), err
}

func (l *lifecycle) answerOffer(r *http.Request) (string, error) {
	accept := r.FormValue("accept") != ""
	_, err := l.apps.AnswerOffer(r.Context(), r.PathValue("app"), accept)
	if accept {
		return appPage(r, "handed"), err
	}
	return appPage(r, "ended"), err
}

func (l *lifecycle) renameApp(r *http.Request) (string, error) {
	_, err := l.apps.RenameApp(r.Context(), r.PathValue("app"), r.FormValue("title"))
	return appPage(r, "renamed"), err
}
