// Package web is what the API and the console both ask of a node, one small interface for each area.
// Because both call the same methods, they cannot disagree about a number, a rule or an error. What
// only one of them asks is declared there, in its Services.
//
// The actor is in the context (access.WithActor); every method checks what this actor may do, and
// returns access.ErrUnauthenticated or access.ErrForbidden where that is not enough. Errors are
// sentinels of the domains, wrapped; web/problem knows what each means. Lists are newest first where
// their method does not say otherwise. The implementations are safe for concurrent use.
//
// Package web must not know how a node does what it is asked. The adapters api, console and problem
// live below it; the documents that they show are control's.
package web
