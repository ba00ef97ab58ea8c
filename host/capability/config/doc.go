// Package config owns the host side of app:config/v1: the settings that a
// release's manifest lists, to be read by that release.
//
// Invariant: a release reads its own settings and nothing else. It must not
// know what a setting means. A bound link is safe for concurrent use.
package config
