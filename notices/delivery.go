package notices

import (
	"time"

	"github.com/agora-host/agora/abi"
)

// Channel is a way out of the node.
type Channel string

// The channels.
const (
	Mail    Channel = "mail"
	Webhook Channel = "webhook"
)

// Place is where something is delivered to: a person by mail, or a webhook by its name.
type Place struct {
	Channel Channel `json:"channel"`
	To      string  `json:"to"`
}

// Lane is what is delivered one after the other: all mail, and all for one webhook. A lane that is held
// up holds up no other.
func (p Place) Lane() string {
	if p.Channel == Mail {
		return string(Mail)
	}
	return string(p.Channel) + "/" + p.To
}

// Delivery is what is to leave the node: notices to a person, or an event to a webhook. It is kept until
// it was taken or given up.
type Delivery struct {
	Place
	ID      string     `json:"id"`                // of its first notice, or of its event
	Notices []string   `json:"notices,omitempty"` // of a mail: ids of the person's
	Event   *abi.Event `json:"event,omitempty"`   // of a webhook
	Created time.Time  `json:"created"`
	Due     time.Time  `json:"due"`               // when it is tried next
	Tries   int        `json:"tries,omitempty"`   // that were begun: from the first on it is not changed
	Error   string     `json:"error,omitempty"`   // of the last try
	Message string     `json:"message,omitempty"` // of a mail: what its Message-ID begins with, the same for each try
	Dead    time.Time  `json:"dead,omitzero"`     // when it was given up; zero: it was not
}

// Limits of deliveries.
const (
	// Lasts is for how long a delivery is tried.
	Lasts = 3 * 24 * time.Hour
	// RefusedLasts is for how long, if it alone is refused.
	RefusedLasts = 24 * time.Hour
	// MaxInMail is how many notices one mail tells of. Another begins after that.
	MaxInMail = 100

	firstAgain = 30 * time.Second
	lastAgain  = 30 * time.Minute
)

// Gathers reports whether a notice can be told by a mail that waits.
func (d Delivery) Gathers() bool {
	return d.Channel == Mail && d.Tries == 0 && d.Dead.IsZero() && len(d.Notices) < MaxInMail
}

// Begun is a delivery whose next try begins. It is stored before: after a crash in the middle it is
// tried again, as the same delivery.
func (d Delivery) Begun(now time.Time) Delivery {
	pause := lastAgain
	if d.Tries < 6 {
		pause = min(lastAgain, firstAgain<<d.Tries)
	}
	d.Tries, d.Due = d.Tries+1, now.Add(pause).UTC()
	return d
}

// maxError is how much is kept of what another machine said.
const maxError = 300

// Failed is a delivery whose try failed. One that was tried for too long is given up.
func (d Delivery) Failed(err error, now time.Time) Delivery {
	lasts := Lasts
	if Refused(err) {
		lasts = RefusedLasts
	}
	d.Error = cut(plain(err.Error()), maxError)
	if now.Sub(d.Created) >= lasts {
		d.Dead = now.UTC()
	}
	return d
}
