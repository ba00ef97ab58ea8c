package cron

import (
	"fmt"
	"time"
	_ "time/tzdata" // a zone's name means the same on every machine
)

// Zone finds a time zone by its IANA name; "" is UTC.
func Zone(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, fmt.Errorf("%w: the zone of a machine is not the zone of an app", ErrBadSchedule)
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %q is no time zone; write one such as Europe/Berlin", ErrBadSchedule, name)
	}
	return z, nil
}
