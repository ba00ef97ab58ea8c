// Package humanize writes numbers as people say them. Command line and console
// both use it, so that the same figure reads alike.
//
// It must not know what a number means. Its functions are pure.
package humanize
