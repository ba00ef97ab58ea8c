package api

import (
	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
)

type (
	// SetAudience is the body of setAudience.
	SetAudience struct {
		Kind   access.AudienceKind `json:"kind"`
		People []string            `json:"people,omitempty"` // names of users, for the kind people
		Groups []string            `json:"groups,omitempty"` // names or ids of groups, for the kind people
		Reason string              `json:"reason,omitempty"` // for the reviewer, of the kind public
	}
	// AskAccess is the body of askAccess.
	AskAccess struct {
		Tier abi.Tier `json:"tier,omitempty"` // default the highest that serves
	}
	// AnswerAccess is the body of answerAccess.
	AnswerAccess struct {
		Grant  bool   `json:"grant"`
		Reason string `json:"reason,omitempty"` // the person reads it
	}
)

func anAudience(c echo.Context) control.Document {
	return control.Document{Kind: control.DocumentAudience, ID: arg[string](c, "app"), Tier: abi.Tier(arg[string](c, "tier"))}
}

func listAudiences(s *server, c echo.Context) (any, error) {
	all, err := s.Audiences.Audiences(c.Request().Context(), arg[string](c, "app"))
	return one(Items[control.Audience]{Items: all}, err)
}

func getAudience(s *server, c echo.Context) (any, error) {
	return one(s.Audiences.Audience(c.Request().Context(), arg[string](c, "app"), abi.Tier(arg[string](c, "tier"))))
}

func setAudience(s *server, c echo.Context) (any, error) {
	in, err := decode[SetAudience](c)
	if err != nil {
		return nil, err
	}
	a := access.Audience{App: arg[string](c, "app"), Tier: abi.Tier(arg[string](c, "tier")), Kind: in.Kind, People: in.People, Groups: in.Groups}
	return one(s.Audiences.SetAudience(c.Request().Context(), a, in.Reason))
}

func listAccessRequests(s *server, c echo.Context) (any, error) {
	all, err := s.Audiences.AccessRequests(c.Request().Context(), arg[string](c, "app"))
	return one(Items[access.AccessRequest]{Items: all}, err)
}

func askAccess(s *server, c echo.Context) (any, error) {
	in, err := decode[AskAccess](c)
	if err != nil {
		return nil, err
	}
	return one(s.Audiences.AskAccess(c.Request().Context(), arg[string](c, "app"), in.Tier))
}

func answerAccess(s *server, c echo.Context) (any, error) {
	in, err := decode[AnswerAccess](c)
	if err != nil {
		return nil, err
	}
	tier := abi.Tier(arg[string](c, "tier"))
	return one(s.Audiences.AnswerAccess(c.Request().Context(), arg[string](c, "app"), tier, arg[string](c, "person"), in.Grant, in.Reason))
}
