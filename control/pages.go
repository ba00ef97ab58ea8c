package control

import (
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/triggers"
)

// AppPage is all that the page of an app shows to one reader, of one state: its parts fit each other.
type AppPage struct {
	App  App
	Acts []string // what the reader may do to it, by the words of access.Act

	// All below is empty for a reader of the public face.
	Releases Items[Release]      // without their Access
	Current  *Release            // the release that serves, or the newest; nil if it is deleted
	Refused  []approvals.Request // what the newest release asked for last, and was refused
	Secrets  *Items[Secret]      // nil: they are not for this reader
	History  Items[registry.Activation]
	Triggers []Trigger
	Tags     map[triggers.Ref]string  // of what people decide about Triggers, as reading one returns it
	Letters  Items[triggers.Delivery] // dead ones; empty if they are not for this reader
	Usage    *metering.Report         // of the last day, by hour; nil: it is not for this reader
	Logs     []LogLine                // oldest first
	LogsNext string                   // the cursor of older lines; "" if there are none
	LogsFor  string                   // why the log is not shown
}

// AppParts says which parts of an app's lists a page wants.
type AppParts struct {
	Releases, Secrets, History, Letters Page
	Logs                                int    // lines
	LogsBefore                          string // the cursor of the lines after them; "" for the newest
}

// ReleasePage is all that the page of a release shows to one reader, of one state.
type ReleasePage struct {
	App      App
	Acts     []string
	Release  Release
	Requests []approvals.Request // that name it, newest first
	Refused  []approvals.Request // of those, what it asked for last and was refused
}
