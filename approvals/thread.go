package approvals

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
)

var (
	// ErrRequestersTurn: a request waits for whoever asked, and not for a vote.
	ErrRequestersTurn = errors.New("it waits for its requester")
	// ErrNothingAsked: no reviewer asked for a change that was not answered.
	ErrNothingAsked = errors.New("no changes were asked for")
	// ErrThreadFull: a request has as many comments as it can have.
	ErrThreadFull = errors.New("the request has no room for another comment")
	// ErrNoComment: a comment without a text.
	ErrNoComment = errors.New("the comment is empty")
)

// CommentKind is what a comment does, beside what it says.
type CommentKind string

const (
	CommentPlain   CommentKind = "comment" // nothing
	CommentChanges CommentKind = "changes" // a reviewer asks for changes: it is the requester's turn
	CommentAnswer  CommentKind = "answer"  // the requester's side answers: it is the reviewers' turn
	CommentChanged CommentKind = "changed" // it says that what was asked for is done, which is an answer, too
	CommentSettled CommentKind = "settled" // who asked for changes does not need them any more, and approved
)

// Comment is an entry of a request's thread. It is never changed.
type Comment struct {
	Kind       CommentKind `json:"kind"`
	Text       string      `json:"text,omitempty"`
	By         string      `json:"by"`
	abi.Behalf             // of who wrote it
	At         time.Time   `json:"at"`
}

// What a thread has at most. Answers and reviewers' second thoughts need what was asked for before them, so
// that these two bound all.
const (
	maxComments = 100
	maxAsked    = 20 // times that changes are asked for
)

func (q Request) entries(kinds ...CommentKind) (n int) {
	for _, c := range q.Thread {
		if slices.Contains(kinds, c.Kind) {
			n++
		}
	}
	return n
}

// Asking lists who asked for changes and was not answered yet.
func (q Request) Asking() (all []string) {
	for _, c := range q.Thread {
		switch c.Kind {
		case CommentChanges:
			if !slices.Contains(all, c.By) {
				all = append(all, c.By)
			}
		case CommentAnswer, CommentChanged:
			all = nil
		case CommentSettled:
			all = slices.DeleteFunc(all, func(name string) bool { return name == c.By })
		}
	}
	return all
}

// WaitsFor is whom the request waits for, by its thread.
func (q Request) WaitsFor() Turn {
	switch {
	case q.Status != StatusOpen:
		return TurnOver
	case len(q.Asking()) > 0:
		return TurnRequester
	}
	return TurnReviewers
}

// add appends an entry, and sets the turn that follows from it. The same entry of the same person once more,
// a form that was sent twice, adds nothing.
func (q *Request) add(c Comment) (added bool) {
	if n := len(q.Thread); n > 0 {
		if last := q.Thread[n-1]; last.Kind == c.Kind && last.By == c.By && last.Text == c.Text {
			return false
		}
	}
	was := q.WaitsFor()
	q.Thread = append(slices.Clone(q.Thread), c)
	if q.Turn = q.WaitsFor(); q.Turn != was {
		q.restart()
	}
	return true
}

// Write adds a comment. While it is the requester's turn, one of theirs, or of an owner of the app, is the
// answer. It returns what the comment became; "" if the very same one is the last already.
func Write(tx Tx, id string, c Comment, by Person) (Request, CommentKind, error) {
	q, err := Undecided(tx, id)
	if err != nil {
		return Request{}, "", err
	}
	if strings.TrimSpace(c.Text) == "" {
		return Request{}, "", fmt.Errorf("say something about %s: %w", id, ErrNoComment)
	}
	c.Kind = CommentPlain
	if q.Concerns(by) && (q.WaitsFor() == TurnRequester || q.repeats(c, CommentAnswer)) {
		c.Kind = CommentAnswer
	}
	if q.entries(CommentPlain, CommentAnswer) >= maxComments {
		return Request{}, "", fmt.Errorf("%s has %d comments, which is the most; decide about it, or answer with what `agora requests changed` says: %w", id, maxComments, ErrThreadFull)
	}
	if !q.add(c) {
		return q, "", nil
	}
	return q, c.Kind, tx.PutRequest(q)
}

// repeats reports whether an entry is the last one once more, when it was of a kind.
func (q Request) repeats(c Comment, kind CommentKind) bool {
	n := len(q.Thread)
	return n > 0 && q.Thread[n-1].Kind == kind && q.Thread[n-1].By == c.By && q.Thread[n-1].Text == c.Text
}

// Changed says, for the requester, that what was asked for is done: it is the reviewers' turn.
func Changed(tx Tx, id string, c Comment, by Person) (Request, error) {
	q, err := Undecided(tx, id)
	if err != nil {
		return Request{}, err
	}
	switch {
	case !q.Concerns(by):
		return Request{}, fmt.Errorf("%s waits for %s, or an owner of the app: %w", id, q.By, ErrNotYours)
	case q.WaitsFor() != TurnRequester:
		return Request{}, fmt.Errorf("%s waits for a reviewer: %w", id, ErrNothingAsked)
	}
	c.Kind = CommentChanged
	q.add(c)
	return q, tx.PutRequest(q)
}

// AskChanges has a request wait for its requester. It takes who might vote about it, for whom it is a second
// thought if they approved: that vote does not count any more.
func AskChanges(tx Tx, id string, b Ballot, behalf abi.Behalf, voters Voters) (Request, error) {
	q, err := Undecided(tx, id)
	if err != nil {
		return Request{}, err
	}
	b.Approve = false
	who, err := q.admits(b, voters)
	if err != nil {
		return Request{}, err
	}
	if err := q.Count(cmp.Or(b.Policy, q.Policy), voters); err != nil {
		return Request{}, err
	}
	if _, voted := q.VoteOf(b.By); !voted {
		if _, _, err = q.stageFor(who, nil); err != nil {
			return Request{}, err
		}
	}
	if q.entries(CommentChanges) >= maxAsked {
		return Request{}, fmt.Errorf("changes of %s were asked for %d times, which is the most; approve it, or reject it and say what would pass: %w", id, maxAsked, ErrThreadFull)
	}
	for i := range q.Votes {
		if v := &q.Votes[i]; v.is(b.By) && v.Approve && v.Void == "" {
			v.Void = "its voter asked for changes since"
		}
	}
	q.add(Comment{Kind: CommentChanges, Text: b.Reason, By: b.By, Behalf: behalf, At: b.At})
	return q, tx.PutRequest(q)
}

// settle has an approval wait for the requester's answer, unless it is of the one person who asked: whose
// changes are then not needed any more.
func (q *Request) settle(b Ballot) error {
	asking := q.Asking()
	if !b.Approve || len(asking) == 0 {
		return nil
	}
	if len(asking) > 1 || asking[0] != b.By {
		return fmt.Errorf("%s asked for changes of %s, and %s has not answered yet: %w", strings.Join(asking, " and "), q.ID, q.By, ErrRequestersTurn)
	}
	q.add(Comment{Kind: CommentSettled, By: b.By, At: b.At})
	return nil
}

// Replace withdraws the requests of the same promotion that wait for their requester's answer and are about
// an earlier release: asking about a later one is that answer. It returns them, and the request as it is
// then. Requests that wait for reviewers stay, as they were asked.
func Replace(tx Tx, q Request, now time.Time) (Request, []Request, error) {
	known, err := tx.OpenRequests(q.App, q.Kind)
	if err != nil {
		return q, nil, err
	}
	var gone []Request
	for _, old := range known {
		if old.Release >= q.Release || old.Tier != q.Tier || old.Capability != q.Capability || old.Emergency != "" || old.WaitsFor() != TurnRequester {
			continue
		}
		old.Status, old.Turn, old.Superseded, old.ReplacedBy = StatusWithdrawn, TurnOver, q.Release, q.ID
		old.Decision = &Decision{Reason: fmt.Sprintf("%s asks about release %d", q.ID, q.Release), By: q.By, At: now, Digest: old.Digest}
		if err := tx.PutRequest(old); err != nil {
			return q, nil, err
		}
		if q.Replaces == "" {
			q.Replaces = old.ID // the latest: lists are newest first
		}
		gone = append(gone, old)
	}
	if len(gone) == 0 {
		return q, nil, nil
	}
	return q, gone, tx.PutRequest(q)
}
