package access

import (
	"errors"
	"fmt"
	"time"

	"github.com/agora-host/agora/internal/sentinel"
)

var (
	// ErrNoQuotaSetting: no operator set that quota, so that what is configured holds.
	ErrNoQuotaSetting = sentinel.New(ErrNotFound, "no operator set that quota")
	// ErrNoQuota: nothing is bounded under that name.
	ErrNoQuota = sentinel.New(ErrNotFound, "there is no such quota")
	// ErrBadQuota: a quota that cannot be set.
	ErrBadQuota = errors.New("the quota cannot be set")
)

// MaxQuotaReason is how long the reason for a quota may be, in bytes.
const MaxQuotaReason = 1000

// QuotaSetting is a quota that an operator set while the node runs: of one person, group or app or, with
// no Of, of all of them alike.
type QuotaSetting struct {
	Quota  string    `json:"quota"`
	Per    string    `json:"per"`          // "person", "group", "app" or "node": what the quota is of
	Of     string    `json:"of,omitempty"` // which one: a person's or an app's name, a group's id; "": all of them
	Limit  int64     `json:"limit"`
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until,omitzero"` // zero: until it is cleared
}

// Holds reports whether a setting holds at a time.
func (s QuotaSetting) Holds(now time.Time) bool { return s.Until.IsZero() || now.Before(s.Until) }

// Check returns an error unless a setting can be made now.
func (s QuotaSetting) Check(now time.Time) error {
	switch {
	case s.Limit < 0:
		return fmt.Errorf("%w: a limit is 0 or more, and not %d", ErrBadQuota, s.Limit)
	case s.Reason == "":
		return fmt.Errorf("%w: say why, in its reason: the person concerned reads it", ErrBadQuota)
	case len(s.Reason) > MaxQuotaReason:
		return fmt.Errorf("%w: a reason has at most %d bytes, and not %d", ErrBadQuota, MaxQuotaReason, len(s.Reason))
	case !s.Holds(now):
		return fmt.Errorf("%w: its end, %s, is over already", ErrBadQuota, s.Until.UTC().Format(time.RFC3339))
	}
	return nil
}

// QuotaReader reads the quotas that operators set.
type QuotaReader interface {
	// QuotaSetting returns what was set of one person, group or app, or of "" for all of them alike,
	// also if it has ended.
	QuotaSetting(per, of, quota string) (QuotaSetting, error)
}

// QuotaWriter sets quotas.
type QuotaWriter interface {
	PutQuotaSetting(QuotaSetting) error
	DeleteQuotaSetting(per, of, quota string) error
}
