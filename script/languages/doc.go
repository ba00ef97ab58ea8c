// Package languages makes modules of scripts in any of the languages that Agora knows: the extension of the app's
// first file says which.
//
// It owns the choice, and no language. It must not know how modules run, nor apps, releases or grants.
//
// Everything is safe for concurrent use.
package languages
