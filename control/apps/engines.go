package apps

import (
	"errors"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// judge says how a version of the engine stands now.
func (c *Catalogue) judge(version string) *control.Engine {
	e := c.engines.Judge(version, c.desk.Now())
	return &e
}

// enginesOf returns what the release that serves an app, or else its newest, was made with, and a finding for
// each release that serves with an engine that is too old.
func (c *Catalogue) enginesOf(tx state.Reader, app registry.App) (own *control.Engine, found []abi.Finding, err error) {
	_, shown, serves := app.Serving()
	var numbers []int
	for _, tier := range slices.Backward(abi.Tiers()) {
		if n := app.Active[tier]; n > 0 && !slices.Contains(numbers, n) {
			numbers = append(numbers, n)
		}
	}
	if !serves {
		shown = app.Releases
		numbers = append(numbers, shown)
	}
	for _, n := range numbers {
		r, err := tx.Release(app.Name, n)
		if errors.Is(err, registry.ErrNotFound) { // the newest, if it was deleted
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if r.Made == nil {
			continue
		}
		e := c.judge(r.Made.Version)
		if n == shown {
			own = e
		}
		if serves && e.TooOld() {
			found = append(found, e.Finding(n, r.Made.Entry))
		}
	}
	return own, found, nil
}
