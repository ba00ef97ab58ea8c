package notices

import (
	"errors"

	"github.com/agora-host/agora/abi"
)

// Letter is a mail to one person. No text of it holds a line break but Text.
type Letter struct {
	ID      string // what its Message-ID begins with: the same whenever it is sent again
	To      string // a plain mail address
	Subject string
	Text    string
	URL     string // where its person says how to be told
}

// Call is what a webhook is told.
type Call struct {
	ID    string // the same whenever it is sent again
	Event abi.Event
	Text  string // a sentence without a full stop
	Todo  string
	URL   string // the page where that is done
	Node  string // the address of the console
}

// RefusedError is that one letter or call alone was refused: others may be taken. It is tried again, since
// what refuses it can be set up wrongly, and for less long.
type RefusedError struct{ Err error }

func (e *RefusedError) Error() string { return e.Err.Error() }

func (e *RefusedError) Unwrap() error { return e.Err }

// Refused reports whether an error says so.
func Refused(err error) bool {
	_, is := errors.AsType[*RefusedError](err)
	return is
}
