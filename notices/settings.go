package notices

import (
	"fmt"
	"time"

	"github.com/agora-host/agora/abi/cron"
)

// Pace is how often a person gets mail.
type Pace string

// The paces. The zero one is AtOnce.
const (
	AtOnce Pace = "at-once"
	Daily  Pace = "daily"
	Off    Pace = "off" // the inbox has everything
)

// Paces lists them.
func Paces() []Pace { return []Pace{AtOnce, Daily, Off} }

// Settings are how a person wants to be told. Whoever chose nothing has the zero Settings.
type Settings struct {
	Person string `json:"person"`
	Mail   Pace   `json:"mail,omitempty"`
	Zone   string `json:"zone,omitempty"`  // by its IANA name, such as Europe/Berlin; "" is UTC
	Daily  string `json:"daily,omitempty"` // when the daily mail comes, as 08:00, which is the default
	// From QuietFrom until QuietTo no mail is sent; what comes meanwhile waits. Both or none.
	QuietFrom string `json:"quiet_from,omitempty"`
	QuietTo   string `json:"quiet_to,omitempty"`
}

// defaultDaily is when a daily mail comes if its person said nothing.
const defaultDaily = "08:00"

// Effective are settings with the defaults written out.
func (s Settings) Effective() Settings {
	if s.Mail == "" {
		s.Mail = AtOnce
	}
	if s.Zone == "" {
		s.Zone = "UTC"
	}
	if s.Daily == "" {
		s.Daily = defaultDaily
	}
	return s
}

// Check returns ErrBadSettings for settings that cannot be followed.
func (s Settings) Check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrBadSettings, fmt.Sprintf(format, args...))
	}
	switch s.Mail {
	case "", AtOnce, Daily, Off:
	default:
		return bad("mail is at-once, daily or off, not %.40q", string(s.Mail))
	}
	if _, err := cron.Zone(s.Zone); err != nil {
		return bad("%.60q is no time zone; write one such as Europe/Berlin", s.Zone)
	}
	for _, text := range []string{s.Daily, s.QuietFrom, s.QuietTo} {
		if _, err := minuteOf(text); text != "" && err != nil {
			return bad("%.20q is no time of day; write one such as 08:00", text)
		}
	}
	if (s.QuietFrom == "") != (s.QuietTo == "") {
		return bad("quiet hours have a beginning and an end")
	}
	if s.QuietFrom != "" && s.QuietFrom == s.QuietTo {
		return bad("quiet hours that end when they begin are none; choose mail off to get none")
	}
	return nil
}

// minuteOf reads a time of day as minutes since midnight.
func minuteOf(text string) (int, error) {
	t, err := time.Parse("15:04", text)
	if err == nil && len(text) != len("15:04") {
		err = fmt.Errorf("%q has no two digits for the hour", text)
	}
	return t.Hour()*60 + t.Minute(), err
}

// Gather is for how long a mail waits for what happens together.
const Gather = time.Minute

// Due returns when a mail of what happened now is sent, which waits for gather for what happens together.
func (s Settings) Due(now time.Time, gather time.Duration) time.Time {
	s = s.Effective()
	due := now.Add(gather)
	if s.Mail == Daily {
		due = s.next(now, s.Daily)
	}
	return s.Awake(due)
}

// Awake returns the first time from t on at which mail may be sent.
func (s Settings) Awake(t time.Time) time.Time {
	if s.QuietFrom == "" || s.QuietTo == "" {
		return t.UTC()
	}
	from, _ := minuteOf(s.QuietFrom)
	to, _ := minuteOf(s.QuietTo)
	local := t.In(s.location())
	at := local.Hour()*60 + local.Minute()
	quiet := at >= from && at < to
	if from > to { // over midnight
		quiet = at >= from || at < to
	}
	if !quiet {
		return t.UTC()
	}
	return s.next(t, s.QuietTo)
}

// next returns the first moment after t at which the clocks of the zone show a time of day, or would
// if they were not changed in between.
func (s Settings) next(t time.Time, clock string) time.Time {
	minute, _ := minuteOf(clock)
	zone := s.location()
	local := t.In(zone)
	for day := 0; ; day++ {
		at := time.Date(local.Year(), local.Month(), local.Day()+day, minute/60, minute%60, 0, 0, zone)
		if at.After(t) {
			return at.UTC()
		}
	}
}

func (s Settings) location() *time.Location {
	zone, err := cron.Zone(s.Zone)
	if err != nil {
		return time.UTC // what was checked when it was stored, by a binary with other zones
	}
	return zone
}
