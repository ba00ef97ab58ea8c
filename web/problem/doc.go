// Package problem owns what each error means to the person who meets it: one
// table from the domains' sentinels to a title, a status and a remedy, shown
// alike by API, console, CLI and the apps' front door.
//
// Invariants: every exported sentinel of the domains is in the table; what is
// not in it is the node's own trouble, whose details go to the log and to
// no other; an end user of an app is never shown the app's inside.
//
// It must not know how a surface is reached. The table is immutable.
package problem
