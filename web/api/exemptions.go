package api

import (
	"fmt"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
)

// AskExemption is the body of askExemption.
type AskExemption struct {
	Tier    abi.Tier `json:"tier"`
	Code    string   `json:"code"`              // of the rule that refuses
	Reason  string   `json:"reason"`            // why it cannot be done as the rule asks
	Control string   `json:"control"`           // what is done instead: the compensating control
	Until   string   `json:"until"`             // a date such as 2030-01-31
	Release int      `json:"release,omitempty"` // that is looked at; the newest if left out
	Bound   bool     `json:"bound,omitempty"`   // the exemption is for that release alone
}

func askExemption(s *server, c echo.Context) (any, error) {
	in, err := decode[AskExemption](c)
	if err != nil {
		return nil, err
	}
	until, err := time.Parse(time.DateOnly, in.Until)
	if err != nil {
		return nil, fmt.Errorf("%w: %.40q is no date such as 2030-01-31", approvals.ErrBadRequest, in.Until)
	}
	ask := control.ExemptionAsk{Release: in.Release, Tier: in.Tier, Code: in.Code, Bound: in.Bound, Reason: in.Reason, Control: in.Control, Until: until}
	return one(s.Exemptions.AskExemption(c.Request().Context(), arg[string](c, "app"), ask))
}

func revokeExemption(s *server, c echo.Context) (any, error) {
	in, err := decode[Because](c)
	if err != nil {
		return nil, err
	}
	return one(s.Exemptions.RevokeExemption(c.Request().Context(), arg[string](c, "id"), in.Reason))
}
