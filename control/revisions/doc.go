// Package revisions holds a write to the document that its caller has read. It owns which documents
// have a tag, how each is read in one state, and what is shown to a caller whose document has changed.
//
// Invariants:
//   - a document is compared in the transaction of the change, so that of two changes that name the
//     same tag one is made;
//   - the tag is that of the document as who acts sees it, which is what reading it gave them;
//   - the events that explain a change are those that who acts may see.
//
// It must not know HTTP: package web/api reads and writes the headers, and package web/console the
// hidden field of its forms.
//
// A Service is safe for concurrent use.
package revisions
