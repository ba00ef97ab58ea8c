package node

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/rights"
)

// rights are what a release has in a tier.
func (h *Node) rights(tx state.Reader, r registry.Release, tier abi.Tier) (map[string]approvals.Right, error) {
	return rights.Of(tx, h.policy, r, tier, h.o.Now())
}

// missing are the capabilities that a release needs and has no right to, sorted.
func (h *Node) missing(tx state.Reader, r registry.Release, tier abi.Tier) ([]string, error) {
	return rights.Missing(tx, h.policy, r, tier, h.o.Now())
}

// question is what the rules are asked about a release.
type question struct {
	action, actor string
	tier          abi.Tier
	release       registry.Release
}

// ask builds what the rules judge: the release, with the grants that reach it.
func (h *Node) ask(tx state.Reader, q question) (approvals.Subject, error) {
	have, err := h.rights(tx, q.release, q.tier)
	if err != nil {
		return approvals.Subject{}, err
	}
	s := h.subject(q.action, q.actor, q.tier, q.release, have)
	if why, reserved := registry.ReservedName(q.release.App); reserved && !h.policy.AllowsName(q.release.App) {
		if _, err = tx.App(q.release.App); errors.Is(err, registry.ErrNotFound) {
			s.App.Reserved, err = why, nil
		}
	}
	return s, err
}

// evaluate asks the rules, and refuses names that are reserved whatever they say.
func (h *Node) evaluate(ctx context.Context, s approvals.Subject) (approvals.Verdict, error) {
	verdict, err := h.policy.Evaluate(ctx, s)
	if err == nil && s.App.Reserved != "" {
		verdict.Findings = append([]abi.Finding{reservedName(s.App.Name, s.App.Reserved)}, verdict.Findings...)
	}
	return verdict, err
}

// judge asks the rules about a release as things are.
func (h *Node) judge(ctx context.Context, q question) (approvals.Verdict, error) {
	var s approvals.Subject
	err := h.store.View(ctx, func(tx state.Reader) (err error) {
		s, err = h.ask(tx, q)
		return err
	})
	if err != nil {
		return approvals.Verdict{}, err
	}
	return h.evaluate(ctx, s)
}

var errStale = errors.New("what was judged has changed")

// judged makes a change that depends on a verdict of the rules. Rules are not asked
// within a transaction, so about is read twice: what they judged must be what the
// transaction finds, or they are asked again. A subject that is refused changes
// nothing.
func (h *Node) judged(ctx context.Context, by string, about func(state.Reader) (question, error), change func(state.Tx, question, approvals.Verdict) error) error {
	read := func(tx state.Reader) (q question, s approvals.Subject, err error) {
		if q, err = about(tx); err == nil {
			s, err = h.ask(tx, q)
		}
		return q, s, err
	}
	for range 8 {
		var was approvals.Subject
		err := h.store.View(ctx, func(tx state.Reader) (err error) {
			_, was, err = read(tx)
			return err
		})
		if err != nil {
			return err
		}
		verdict, err := h.evaluate(ctx, was)
		if err != nil {
			return err
		}
		if verdict.Refuses() {
			return &control.Refusal{Findings: verdict.Findings}
		}
		if h.beforeChange != nil {
			h.beforeChange()
		}
		_, err = h.desk.Update(ctx, by, func(tx state.Tx) error {
			q, is, err := read(tx)
			if err != nil {
				return err
			}
			if !reflect.DeepEqual(was, is) {
				return errStale
			}
			return change(tx, q, verdict)
		})
		if !errors.Is(err, errStale) {
			return err
		}
	}
	return fmt.Errorf("the app's grants keep changing: %w", approvals.ErrChanged)
}
