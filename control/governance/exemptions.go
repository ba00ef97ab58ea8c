package governance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// maxExemptionText bounds the reason and the compensating control of an exemption, in bytes.
const maxExemptionText = 1000

// Exemptions let an app through a rule for a time, by decision of those who look after what the rule is about.
type Exemptions struct{ *Service }

// NewExemptions makes an Exemptions of a service.
func NewExemptions(s *Service) *Exemptions { return &Exemptions{s} }

// AskExemption asks that a rule that refuses an app in a tier refuses nothing for a time.
func (s *Exemptions) AskExemption(ctx context.Context, name string, in control.ExemptionAsk) (request approvals.Request, err error) {
	actor, err := s.desk.Door(ctx, access.AskReview)
	if err != nil {
		return request, err
	}
	concern, err := s.askable(in)
	if err != nil {
		return request, err
	}
	var q Question
	find := func(tx state.Reader) error {
		number := in.Release
		if app, err := tx.App(name); err == nil && number == 0 {
			number = app.Releases
		}
		r, err := ownRelease(tx, actor, name, number)
		if err != nil {
			return err
		}
		action := ToPromote
		if in.Tier == abi.TierSandbox {
			action = ToPublish
		}
		q, err = NewQuestion(tx, action, actor.User, in.Tier, r)
		return err
	}
	if err := s.desk.View(ctx, find); err != nil {
		return request, err
	}
	verdict, err := s.Verdict(ctx, q)
	if err != nil {
		return request, err
	}
	about := slices.DeleteFunc(slices.Clone(verdict.Findings), func(f abi.Finding) bool { return f.Code != in.Code })
	if refused := slices.ContainsFunc(about, func(f abi.Finding) bool { return f.Severity == abi.SeverityDeny }); !refused && in.Tier != abi.TierSandbox {
		return request, fmt.Errorf("the rule %s does not refuse release %d of app %q in the %s tier: %w", in.Code, q.Release.Number, name, in.Tier, approvals.ErrNothingToAsk)
	}
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		if err := find(tx); err != nil {
			return err
		}
		if request, err = s.newRequest(tx, actor, q.Release, approvals.KindExemption, in.Tier); err != nil {
			return err
		}
		request.Reason, request.Findings, request.Policy = in.Reason, about, verdict.Policy
		request.Stages = []approvals.Stage{{Concern: concern, Need: 1}}
		request.Exemption = &approvals.Exemption{Code: in.Code, Bound: in.Bound, Control: in.Control, Until: in.Until.UTC()}
		if request, err = approvals.Open(tx, request); err != nil {
			return err
		}
		tx.Emit("request.opened", name, request.ID, map[string]string{"kind": string(request.Kind), "tier": string(in.Tier), "release": strconv.Itoa(request.Release), "code": in.Code})
		return nil
	})
	return s.Explain(request, 0), err
}

// askable returns the concern whose reviewers decide, or what is wrong with what is asked.
func (s *Exemptions) askable(in control.ExemptionAsk) (concern string, err error) {
	for what, text := range map[string]string{"reason": in.Reason, "compensating control": in.Control} {
		if err := control.PlainText(what, text, maxExemptionText); err != nil {
			return "", err
		}
		if strings.TrimSpace(text) == "" {
			return "", fmt.Errorf("an exemption says why, and what is done instead; its %s is missing: %w", what, approvals.ErrReasonMissing)
		}
	}
	if !slices.Contains(abi.Tiers(), in.Tier) {
		return "", fmt.Errorf("%w: there is no tier %.40q", approvals.ErrBadRequest, string(in.Tier))
	}
	return s.mayExempt(in.Code, in.Until)
}

// mayExempt returns an error unless the policy exempts apps from a rule until a time.
func (j *Judge) mayExempt(code string, until time.Time) (concern string, err error) {
	rules, now := j.policy.Exemptions(), j.desk.Now()
	concern, ok := rules.Rules[code]
	if !ok {
		return "", fmt.Errorf("%.60q; it does from %s: %w", code, strings.Join(slices.Sorted(maps.Keys(rules.Rules)), ", "), approvals.ErrNotExemptable)
	}
	if most := now.AddDate(0, 0, rules.Days); !until.After(now) || until.After(most) {
		return "", fmt.Errorf("%w: an exemption ends between now and %s, and not on %s", approvals.ErrBadRequest, most.UTC().Format(time.DateOnly), until.UTC().Format(time.DateOnly))
	}
	return concern, nil
}

// isExemption reports whether a request asks for an exemption.
func (j *Judge) isExemption(ctx context.Context, id string) (is bool, err error) {
	err = j.desk.View(ctx, func(tx state.Reader) error {
		q, err := approvals.Undecided(tx, id)
		is = q.Kind == approvals.KindExemption
		return err
	})
	return is, err
}

// exempt has an exemption that was approved hold. The rules may have become stricter since it was asked for.
func (j *Judge) exempt(tx state.Tx, app registry.App, q approvals.Request) error {
	if _, err := j.mayExempt(q.Exemption.Code, q.Exemption.Until); err != nil {
		return err
	}
	live, err := exemptionsOf(tx, app)
	if err != nil {
		return err
	}
	app.Exemptions = nil
	for _, e := range live {
		if approvals.Exempts(e, j.desk.Now()) {
			app.Exemptions = append(app.Exemptions, e.ID)
		}
	}
	if len(app.Exemptions) >= approvals.MostExemptions {
		return fmt.Errorf("%w: app %q has %d exemptions, which is as many as an app has", approvals.ErrBadRequest, app.Name, len(app.Exemptions))
	}
	app.Exemptions = append(app.Exemptions, q.ID)
	return tx.PutApp(app)
}

// exemptionsOf are the exemptions of an app, those that have just ended with them.
func exemptionsOf(tx state.Reader, app registry.App) (all []approvals.Request, err error) {
	for _, id := range app.Exemptions {
		q, err := tx.Request(id)
		if err != nil {
			return nil, fmt.Errorf("exemption %s of app %q: %w", id, app.Name, err)
		}
		all = append(all, q)
	}
	return all, nil
}

// RevokeExemption ends an exemption at once: the next time that the rules are asked, they refuse again. What
// serves goes on serving.
func (s *Exemptions) RevokeExemption(ctx context.Context, id, reason string) (request approvals.Request, err error) {
	actor, err := s.desk.Door(ctx, access.ReduceGrant)
	if err != nil {
		return request, err
	}
	if err := control.PlainText("reason", reason, maxReason); err != nil {
		return request, err
	}
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		q, err := tx.Request(id)
		if err != nil {
			return fmt.Errorf("request %q: %w", id, err)
		}
		app, err := tx.App(q.App)
		if err != nil {
			return err
		}
		if err := control.MayApp(actor, access.ReduceGrant, app); err != nil {
			return err
		}
		if strings.TrimSpace(reason) == "" {
			return fmt.Errorf("the owners read why: %w", approvals.ErrReasonMissing)
		}
		if request, err = approvals.RevokeExemption(q, actor.User, reason, s.desk.Now().UTC()); err != nil {
			return err
		}
		app.Exemptions = slices.DeleteFunc(slices.Clone(app.Exemptions), func(o string) bool { return o == id })
		tx.Emit("request.exemption_revoked", q.App, id, map[string]string{"code": q.Exemption.Code, "tier": string(q.Tier), "reason": reason})
		return errors.Join(tx.PutRequest(request), tx.PutApp(app))
	})
	return s.Explain(request, 0), err
}

// Sweep tells the owners of exemptions that end soon, or have ended: each once.
func (s *Exemptions) Sweep(ctx context.Context) error {
	var due []string
	err := s.desk.View(ctx, func(tx state.Reader) error {
		due = nil
		apps, _, err := tx.AppsPart(state.Part{Limit: -1}, func(a registry.App) bool { return len(a.Exemptions) > 0 })
		for _, app := range apps {
			all, failed := exemptionsOf(tx, app)
			for _, q := range all {
				if near, over := q.Exemption.Ending(s.desk.Now()); near || over {
					due = append(due, q.ID)
				}
			}
			err = errors.Join(err, failed)
		}
		return err
	})
	for _, id := range due {
		_, failed := s.desk.Update(ctx, "node", func(tx state.Tx) error { return s.tellEnd(tx, id) })
		err = errors.Join(err, failed)
	}
	return err
}

// tellEnd tells of one exemption, in the change that notes it.
func (s *Exemptions) tellEnd(tx state.Tx, id string) error {
	q, err := tx.Request(id)
	if err != nil {
		return err
	}
	near, over := q.Exemption.Ending(s.desk.Now())
	if !near && !over {
		return nil
	}
	e := *q.Exemption
	e.Warned, e.Over, q.Exemption = true, over, &e
	detail := map[string]string{"code": e.Code, "tier": string(q.Tier), "until": e.Until.Format(time.DateOnly)}
	if near {
		tx.Emit("request.exemption_ending", q.App, id, detail)
		return tx.PutRequest(q)
	}
	app, err := tx.App(q.App)
	if err != nil {
		return err
	}
	app.Exemptions = slices.DeleteFunc(slices.Clone(app.Exemptions), func(o string) bool { return o == id })
	tx.Emit("request.exemption_over", q.App, id, detail)
	return errors.Join(tx.PutRequest(q), tx.PutApp(app))
}
