package metering

import (
	"fmt"

	"github.com/agora-host/agora/abi"
)

// damage says what is wrong with the file itself.
func (a account) damage() []abi.Finding {
	switch a.state {
	case foreign:
		return []abi.Finding{a.foreign()}
	case torn:
		return []abi.Finding{a.finding(abi.SeverityInfo, FindingTorn, "", "ends behind record %d in bytes that are no record, as a kill or the loss of power leaves them%s", a.said.tail.Last, a.unproven("there"))}
	case headless:
		if a.inUse() && a.stays && (!a.asked || a.epoch.Until.IsZero() || a.epoch.Ended) {
			return nil // a process was killed that was about to make it
		}
	case whole:
		return nil
	}
	what := fmt.Sprintf("is damaged behind record %d", a.said.tail.Last)
	switch a.state {
	case headless:
		what = "has lost its beginning: nothing in it can be read"
	case illegible:
		what = "does not begin as a journal does: nothing in it can be read"
	case unreadable:
		what = fmt.Sprintf("can be read up to record %d: %v", a.said.tail.Last, a.err)
	}
	if a.kept() {
		return []abi.Finding{a.finding(abi.SeverityReview, FindingKept, remedyKept, "%s; %s", what, a.isBilled())}
	}
	remedy := remedyDamaged
	switch {
	case a.state == headless:
		remedy = remedyLost
	case a.inUse() && a.stays:
		remedy = remedyStopped
	case a.inUse():
		remedy = remedyRunning
	}
	return []abi.Finding{a.finding(abi.SeverityReview, FindingDamaged, remedy, "%s; %s%s", what, a.isBilled(), a.unproven("the damage"))}
}

func (a account) isBilled() string {
	n := max(a.said.cells.total().Calls, a.billed().Calls)
	switch {
	case a.inUse() && a.stays:
		return fmt.Sprintf("billed of it after the next start: %s", plural(n, "call"))
	case !a.asked:
		return "what of it is billed cannot be told, since the state cannot be read"
	case a.kept():
		n = a.billed().Calls
	}
	return fmt.Sprintf("billed of it: %s", plural(n, "call"))
}

// unproven says what is legible behind the damage. Some of it may have been
// flushed while it was proven; which, the numbers do not say.
func (a account) unproven(behind string) string {
	u, n := a.said.unproven, a.said.tail.Unproven
	if n == 0 {
		return ""
	}
	not := "not billed"
	if !a.asked || !a.billed().Less(a.said.cells.total()).IsZero() {
		not = "billed only as far as the state had it before"
	}
	return fmt.Sprintf("; unproven and %s: %s in %s behind %s", not, u.words(), plural(uint64(n), "whole record"), behind)
}

// foreign tells of another node's journal, which may be this one's own: the file
// with its id may have been changed.
func (a account) foreign() abi.Finding {
	left := a.said.cells.total().Less(a.billed())
	n := plural(left.Calls, "call")
	text := fmt.Sprintf("was written by another node, %s, and is not counted; not billed here, by node %s: %s", a.said.node, a.node, n)
	remedy := "If that node has not billed it: stop that node, put the file into its journal directory, without .foreign behind its name, and start it. Then, or if it has, move the file out of this directory."
	own := fmt.Sprintf("Stop the node, and see that the file \"node\" in its data directory holds %s. Take .foreign away from the ends of its journals' names, and start it: it bills what it has not billed yet.", a.said.node)
	switch {
	case a.said.node == a.node:
		text, remedy = fmt.Sprintf("is this node's own, and was set aside as another's; not billed: %s", n), own
	case a.node == "":
		text, remedy = fmt.Sprintf("was written by node %s, and the file that says which node this is, is gone: the next start makes another id, and does not bill %s of it", a.said.node, n), own
	case a.epoch.Number != 0 && left.IsZero():
		remedy = "The state has all of it, of that node: move the file out of this directory."
	case a.epoch.Number != 0:
		text, remedy = text+" (the state knows that node: perhaps the file with this node's id was changed)", own
	}
	return a.finding(abi.SeverityReview, FindingForeign, remedy, "%s", text)
}

const (
	remedyStopped = "Start the node: it bills what is proven, and keeps the file, with .damaged behind its name, for whoever settles the bills. Look at the disk."
	remedyRunning = "Start the node again, so that it begins another journal. All that it counted is billed. Look at the disk."
	remedyDamaged = "Keep the file for whoever settles the bills, then move it out of the journal directory. Look at the disk."
	remedyLost    = "Put the file back from a backup of the journal directory, if there is one, while the node is stopped: the next start bills what is new in it. Look at the disk."
	remedyKept    = "Bills stay as they are: the file proves them, and is counted again only after going back to a snapshot. Copy it out of a backup, or move it away. Look at the disk."
)

func (a account) finding(severity abi.Severity, code, remedy, format string, args ...any) abi.Finding {
	return abi.Finding{Code: code, Severity: severity, Path: a.name, Message: a.name + " " + fmt.Sprintf(format, args...), Remedy: abi.Remedy{Summary: remedy}}
}
