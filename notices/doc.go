// Package notices tells people what happened that concerns them.
//
// It owns the records (Notice, Settings, Delivery), the one table of which events make notices, for
// whom and in which words (Rows, Silent), and when a mail is due for a person's settings.
//
// Invariants:
//   - one event makes at most one notice for a person: a notice's id is the event's place in the feed;
//   - a notice keeps its event and not its words, so that people are named as they are called now and
//     the words are those of the node that shows them;
//   - no text of Say, Todo or Link holds a control character or a line break, whatever people wrote;
//   - each kind of events is in Rows or in Silent, with the reason why no person is told.
//
// It must not know who has which role, how a notice leaves the node, nor a store.
//
// Its values are data, and its functions are safe for concurrent use.
package notices
