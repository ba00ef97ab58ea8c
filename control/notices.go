package control

import (
	"time"

	"github.com/agora-host/agora/notices"
)

// Notice is what one person is told, as it is shown.
type Notice struct {
	ID   string    `json:"id"`
	At   time.Time `json:"at"`
	Kind string    `json:"kind"` // of the event that it tells of
	Rev  uint64    `json:"rev"`  // of that event
	App  string    `json:"app,omitempty"`
	By   string    `json:"by"`
	Text string    `json:"text"` // a sentence without a full stop
	Todo string    `json:"todo"` // what to do about it
	Path string    `json:"path"` // the page of the console where that is done
	URL  string    `json:"url"`
	Read time.Time `json:"read,omitzero"` // zero: not yet
}

// NoticeFilter selects notices.
type NoticeFilter struct{ Unread bool }

// NoticeChoice is how a person wants to be told.
type NoticeChoice struct {
	Mail  notices.Pace `json:"mail"`
	Zone  string       `json:"zone,omitempty"`  // such as Europe/Berlin; default UTC
	Daily string       `json:"daily,omitempty"` // when the daily mail comes; default 08:00
	// From QuietFrom until QuietTo, as 22:00 and 07:00, no mail is sent. Both or none.
	QuietFrom string `json:"quiet_from,omitempty"`
	QuietTo   string `json:"quiet_to,omitempty"`
}

// NoticeSettings are how a person is told, with the defaults written out.
type NoticeSettings struct {
	NoticeChoice
	Address string `json:"address"` // where mail goes: the person's name
	// Sends is set if the node sends mail: without a mail server the inbox has everything.
	Sends bool `json:"sends"`
}

// MarkNotices says which of one's notices are read now, or are not.
type MarkNotices struct {
	IDs  []string `json:"ids,omitempty"`
	All  bool     `json:"all,omitempty"` // all of them, and not those of IDs
	Read bool     `json:"read"`
}

// Unread is how many of a person's notices are not read.
type Unread struct {
	Unread int `json:"unread"`
}

// Lane is how what leaves the node in one direction gets on.
type Lane struct {
	Name        string // "mail", or "webhook/" and its name
	Waiting     int
	Undelivered int       // what was given up, and is kept for a while
	Sent        uint64    // since the node started
	Failed      uint64    // tries, since the node started
	Full        uint64    // what was not begun since too much waited
	Err         error     // of the last try; nil: it succeeded
	Failing     time.Time // since when; zero: it does not
}
