// Package failpoint owns the named places at which a test may end the process:
// between two steps that must survive a kill.
//
// A node never sets anything here; only a test binary does, before it starts.
// A place that is not watched costs one comparison.
//
// Hit may be called from any goroutine. Watch is called before there are any.
package failpoint
