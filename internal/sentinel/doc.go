// Package sentinel makes errors that are one kind of another: "no such release" is a kind of
// "not found". Callers branch on the wide one, and people are told the narrow one.
//
// It must not know any domain. What it makes never changes.
package sentinel
