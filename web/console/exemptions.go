package console

import (
	"fmt"
	"net/http"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/problem"
)

// exemptions are the acts about exemptions from rules.
type exemptions struct{ of web.Exemptions }

func (e *exemptions) ask(r *http.Request) (string, error) {
	until, err := time.Parse(time.DateOnly, r.FormValue("until"))
	if err != nil {
		return "", fmt.Errorf("%w: %.30q is no date", problem.ErrBadRequest, r.FormValue("until"))
	}
	in := control.ExemptionAsk{
		Tier: abi.Tier(r.FormValue("tier")), Code: r.FormValue("code"), Bound: r.FormValue("bound") != "",
		Reason: r.FormValue("reason"), Control: r.FormValue("control"), Until: until,
	}
	_, err = e.of.AskExemption(r.Context(), r.PathValue("app"), in)
	return appPage(r, "asked"), err
}

func (e *exemptions) revoke(r *http.Request) (string, error) {
	_, err := e.of.RevokeExemption(r.Context(), r.PathValue("id"), r.FormValue("reason"))
	return "/requests?status=approved&exemptions=true&done=exempted-no-more", err
}
