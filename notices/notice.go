package notices

import (
	"errors"
	"fmt"
	"time"

	"github.com/agora-host/agora/abi"
)

var (
	// ErrNoNotice: the person has no such notice, or it was forgotten.
	ErrNoNotice = errors.New("there is no such notice")
	// ErrBadSettings: a choice of how to be told that cannot be followed.
	ErrBadSettings = errors.New("notices cannot be sent like that")
)

// Bounds of what is kept. What is beyond them is forgotten, oldest first.
const (
	// MaxKept is how many notices of one person are kept.
	MaxKept = 500
	// KeptFor is for how long a notice is kept.
	KeptFor = 90 * 24 * time.Hour
	// MaxWaiting is how many deliveries to one place wait at a time. More are not begun.
	MaxWaiting = 10_000
	// UndeliveredFor is for how long a delivery that was given up is kept.
	UndeliveredFor = 30 * 24 * time.Hour
)

// Notice is what one person is told, once.
type Notice struct {
	ID     string    `json:"id"` // IDOf its event
	Person string    `json:"person"`
	To     Whom      `json:"to"` // what the person is to the event
	Event  abi.Event `json:"event"`
	Read   time.Time `json:"read,omitzero"` // zero: not yet
}

// IDOf is the id of the notices that an event makes. As a text it sorts as the feed does.
func IDOf(e abi.Event) string { return fmt.Sprintf("n%016x-%04x", uint64(e.Rev), e.Seq) }

// Reader is what a transaction can read of notices.
type Reader interface {
	// Notice reads one; ErrNoNotice.
	Notice(person, id string) (Notice, error)
	// OldNotices lists notices of events before a time, oldest first.
	OldNotices(before time.Time, most int) ([]Notice, error)
	// OldestNotices lists a person's notices, oldest first.
	OldestNotices(person string, most int) ([]Notice, error)
	// NoticeSettings reads what a person chose; the zero Settings if nothing.
	NoticeSettings(person string) (Settings, error)
	// Deliveries lists what waits for one place, by id.
	Deliveries(p Place) ([]Delivery, error)
	// DueDeliveries lists what is to be tried now in a lane, the longest due first.
	DueDeliveries(lane string, now time.Time, most int) ([]Delivery, error)
	// Undelivered lists what was given up, oldest first.
	Undelivered(most int) ([]Delivery, error)
}

// SettingsWriter stores what people choose.
type SettingsWriter interface {
	PutNoticeSettings(Settings) error
}

// Keeper changes what makes no revision: a notice is told and read beside the changes that are in the
// feed, which it follows.
type Keeper interface {
	PutNotice(Notice) error
	// DeleteNotice forgets one, if it is there.
	DeleteNotice(person, id string) error
	PutDelivery(Delivery) error
	// DeleteDelivery forgets one, if it is there.
	DeleteDelivery(p Place, id string) error
}
