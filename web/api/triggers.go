package api

import (
	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/triggers"
)

func pauseTrigger(s *server, c echo.Context) (any, error) {
	in, err := decode[PauseTrigger](c)
	if err != nil {
		return nil, err
	}
	ref := triggers.Ref{App: arg[string](c, "app"), Kind: in.Kind, Name: in.Name}
	if err := s.expect(c, control.Document{Kind: control.DocumentTrigger, Trigger: ref}, false); err != nil {
		return nil, err
	}
	return one(s.Automation.PauseTrigger(c.Request().Context(), ref, in.Paused, in.Reason))
}

func getTrigger(s *server, c echo.Context) (any, error) {
	t, tag, err := s.Automation.Trigger(c.Request().Context(), triggerAt(c))
	return one(tagged{t, tag}, err)
}

func runTrigger(s *server, c echo.Context) (any, error) {
	in, err := decode[RunTrigger](c)
	if err != nil {
		return nil, err
	}
	id, err := s.Automation.RunTrigger(c.Request().Context(), arg[string](c, "app"), in.Name)
	return one(Run{id}, err)
}

func redeliver(s *server, c echo.Context) (any, error) {
	return one(s.Automation.Redeliver(c.Request().Context(), arg[string](c, "app"), uint64(arg[int64](c, "seq"))))
}

func deleteDeadLetter(s *server, c echo.Context) (any, error) {
	_, err := s.Automation.DropDeadLetter(c.Request().Context(), arg[string](c, "app"), uint64(arg[int64](c, "seq")))
	return nil, err
}
