package registry

import (
	"errors"
	"fmt"
	"time"
)

// ErrBadMaintenance: an app cannot be put in maintenance like that.
var ErrBadMaintenance = errors.New("maintenance cannot be declared like that")

// Maintenance says that an app is kept running and gets nothing new. It stops nothing by itself, also when
// its end has come: its owners are told then.
type Maintenance struct {
	By        string    `json:"by,omitempty"`
	At        time.Time `json:"at,omitzero"`
	Until     time.Time `json:"until,omitzero"`      // zero: no end was said
	Successor string    `json:"successor,omitempty"` // the app that people should use from now on
	Reason    string    `json:"reason,omitempty"`
	Over      bool      `json:"over,omitempty"` // that its end has come was told
}

// Maintain puts the app in maintenance, or says anew until when and what follows it. An app that is suspended
// is in maintenance when it is resumed.
func (a App) Maintain(p Party, m Maintenance) (App, error) {
	if err := a.Free(); err != nil {
		return a, err
	}
	if !p.owns() && !p.Operator {
		return a, fmt.Errorf("app %q belongs to %s: %w", a.Name, a.Owner, ErrNotOwner)
	}
	switch {
	case m.Successor == a.Name:
		return a, fmt.Errorf("app %q does not follow itself: %w", a.Name, ErrBadMaintenance)
	case !m.Until.IsZero() && !m.Until.After(m.At):
		return a, fmt.Errorf("its end, %s, is over: %w", m.Until.Format(time.DateOnly), ErrBadMaintenance)
	}
	m.Over = false
	a.Maintenance = &m
	return a, nil
}

// EndMaintenance lets the app get new things again.
func (a App) EndMaintenance(p Party) (App, error) {
	if err := a.Free(); err != nil {
		return a, err
	}
	if !p.owns() && !p.Operator {
		return a, fmt.Errorf("app %q belongs to %s: %w", a.Name, a.Owner, ErrNotOwner)
	}
	if a.Maintenance == nil {
		return a, fmt.Errorf("app %q is not in maintenance: %w", a.Name, ErrState)
	}
	a.Maintenance = nil
	return a, nil
}

// MaintenanceOver reports whether the end of its maintenance has come and nobody was told.
func (a App) MaintenanceOver(now time.Time) bool {
	m := a.Maintenance
	return m != nil && a.Removal == nil && !m.Over && !m.Until.IsZero() && !now.Before(m.Until)
}
