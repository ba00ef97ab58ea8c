package api

import (
	"fmt"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/web/problem"
)

type (
	// Reason is the body of acts that say why, some of which have to.
	Reason struct {
		Reason string `json:"reason,omitempty"` // everybody who is signed in can read it
	}
	// MaintainApp is the body of maintainApp. All may be left out, but the reason for another person's app.
	MaintainApp struct {
		Until     string `json:"until,omitempty"`     // a date such as 2030-01-31: its owners are told then; nothing stops by itself
		Successor string `json:"successor,omitempty"` // the app that people should use from now on
		Reason    string `json:"reason,omitempty"`
	}
	// Because is the body of quarantineApp, endQuarantine and revokeExemption.
	Because struct {
		Reason string `json:"reason"` // needed always; everybody who is signed in can read it
	}
	// DeleteApp is the body of deleteApp.
	DeleteApp struct {
		App    string `json:"app"` // the app's name again
		Reason string `json:"reason,omitempty"`
	}
	// TransferApp is the body of transferApp.
	TransferApp struct {
		To     string `json:"to"` // a user with the role developer
		Reason string `json:"reason,omitempty"`
	}
	// AnswerOffer is the body of answerOffer.
	AnswerOffer struct {
		Accept bool `json:"accept"` // false: end the offer
	}
	// RenameApp is the body of renameApp.
	RenameApp struct {
		Title string `json:"title"`
	}
)

func suspendApp(s *server, c echo.Context) (any, error) {
	in, err := decode[Reason](c)
	if err != nil {
		return nil, err
	}
	return one(s.Lifecycle.SuspendApp(c.Request().Context(), arg[string](c, "app"), in.Reason))
}

func resumeApp(s *server, c echo.Context) (any, error) {
	in, err := decode[Reason](c)
	if err != nil {
		return nil, err
	}
	return one(s.Lifecycle.ResumeApp(c.Request().Context(), arg[string](c, "app"), in.Reason))
}

func maintainApp(s *server, c echo.Context) (any, error) {
	in, err := decode[MaintainApp](c)
	if err != nil {
		return nil, err
	}
	m := control.Maintain{Successor: in.Successor, Reason: in.Reason}
	if in.Until != "" {
		if m.Until, err = time.Parse(time.DateOnly, in.Until); err != nil {
			return nil, fmt.Errorf("%.40q is no date such as 2030-01-31: %w", in.Until, registry.ErrBadMaintenance)
		}
	}
	return one(s.Lifecycle.MaintainApp(c.Request().Context(), arg[string](c, "app"), m))
}

func endMaintenance(s *server, c echo.Context) (any, error) {
	in, err := decode[Reason](c)
	if err != nil {
		return nil, err
	}
	return one(s.Lifecycle.EndMaintenance(c.Request().Context(), arg[string](c, "app"), in.Reason))
}

func quarantineApp(s *server, c echo.Context) (any, error) {
	in, err := decode[Because](c)
	if err != nil {
		return nil, err
	}
	return one(s.Lifecycle.QuarantineApp(c.Request().Context(), arg[string](c, "app"), in.Reason))
}

func endQuarantine(s *server, c echo.Context) (any, error) {
	in, err := decode[Because](c)
	if err != nil {
		return nil, err
	}
	return one(s.Lifecycle.EndQuarantine(c.Request().Context(), arg[string](c, "app"), in.Reason))
}

func deleteApp(s *server, c echo.Context) (any, error) {
	in, err := decode[DeleteApp](c)
	if err != nil {
		return nil, err
	}
	if in.App != arg[string](c, "app") {
		return nil, fmt.Errorf("%w: the app that is to be deleted is %q, and %q was repeated", problem.ErrNotRepeated, arg[string](c, "app"), clip(in.App))
	}
	return one(s.Lifecycle.DeleteApp(c.Request().Context(), in.App, in.Reason))
}

func undeleteApp(s *server, c echo.Context) (any, error) {
	return one(s.Lifecycle.UndeleteApp(c.Request().Context(), arg[string](c, "app")))
}

func transferApp(s *server, c echo.Context) (any, error) {
	in, err := decode[TransferApp](c)
	if err != nil {
		return nil, err
	}
	return one(s.Lifecycle.TransferApp(c.Request().Context(), arg[string](c, "app"), in.To, in.Reason))
}

func shareApp(s *server, c echo.Context) (any, error) {
	in, err := decode[ShareApp](c)
	if err != nil {
		return nil, err
	}
	return one(s.Lifecycle.ShareApp(c.Request().Context(), arg[string](c, "app"), control.Owners{CoOwner: in.CoOwner, Group: in.Group}, in.Reason))
}

func answerOffer(s *server, c echo.Context) (any, error) {
	in, err := decode[AnswerOffer](c)
	if err != nil {
		return nil, err
	}
	return one(s.Lifecycle.AnswerOffer(c.Request().Context(), arg[string](c, "app"), in.Accept))
}

func renameApp(s *server, c echo.Context) (any, error) {
	in, err := decode[RenameApp](c)
	if err != nil {
		return nil, err
	}
	return one(s.Lifecycle.RenameApp(c.Request().Context(), arg[string](c, "app"), in.Title))
}

func listCertificates(s *server, c echo.Context, p control.Page) (Items[registry.Issued], error) {
	return s.Certificates.Certificates(c.Request().Context(), arg[string](c, "app"), p)
}

func getCertificate(s *server, c echo.Context) (any, error) {
	return one(s.Certificates.Certificate(c.Request().Context(), arg[string](c, "id")))
}
