package api

import (
	"fmt"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/host/internal/web/problem"
	"github.com/agora-host/agora/triggers"
)

func pauseTrigger(s *server, c echo.Context) (any, error) {
	in, err := decode[PauseTrigger](c)
	if err != nil {
		return nil, err
	}
	ref := triggers.Ref{App: c.Param("app"), Kind: in.Kind, Name: in.Name}
	return one(s.node.PauseTrigger(c.Request().Context(), ref, in.Paused, in.Reason))
}

func runTrigger(s *server, c echo.Context) (any, error) {
	in, err := decode[RunTrigger](c)
	if err != nil {
		return nil, err
	}
	id, err := s.node.RunTrigger(c.Request().Context(), c.Param("app"), in.Name)
	return one(Run{id}, err)
}

func letter(c echo.Context) (uint64, error) {
	seq, err := strconv.ParseUint(c.Param("seq"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %q is no number of a dead letter", problem.ErrBadRequest, c.Param("seq"))
	}
	return seq, nil
}

func redeliver(s *server, c echo.Context) (any, error) {
	seq, err := letter(c)
	if err != nil {
		return nil, err
	}
	return one(s.node.Redeliver(c.Request().Context(), c.Param("app"), seq))
}

func dropLetter(s *server, c echo.Context) (any, error) {
	seq, err := letter(c)
	if err != nil {
		return nil, err
	}
	_, err = s.node.DropDeadLetter(c.Request().Context(), c.Param("app"), seq)
	return nil, err
}
