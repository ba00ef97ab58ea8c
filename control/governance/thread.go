package governance

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

// maxComment bounds a comment, in bytes. A thread is read with its request, also in lists.
const maxComment = 2000

// Threads keeps what people write about requests, and whose turn it is by it.
type Threads struct {
	*Judge
	service *Service // whose requests they are
}

// NewThreads makes a Threads of a service.
func NewThreads(s *Service) *Threads { return &Threads{s.Judge, s} }

// Comment writes about an open request. While it waits for its requester, what they or the app's owners
// write is the answer, and it is the reviewers' turn.
func (s *Threads) Comment(ctx context.Context, id, text string) (approvals.Request, error) {
	return s.write(ctx, id, access.CommentRequest, text, func(tx state.Tx, actor access.Actor, c approvals.Comment) (approvals.Request, approvals.CommentKind, error) {
		return approvals.Write(tx, id, c, control.PersonOf(actor))
	})
}

// Changed says, for the requester, that what a reviewer asked for is done, with a word about it if there is
// one to say.
func (s *Threads) Changed(ctx context.Context, id, text string) (approvals.Request, error) {
	return s.write(ctx, id, access.AnswerRequest, text, func(tx state.Tx, actor access.Actor, c approvals.Comment) (approvals.Request, approvals.CommentKind, error) {
		q, err := approvals.Changed(tx, id, c, control.PersonOf(actor))
		return q, approvals.CommentChanged, err
	})
}

// AskChanges has a request wait for its requester, for a reason.
func (s *Threads) AskChanges(ctx context.Context, id string, d control.Verdict) (approvals.Request, error) {
	return s.write(ctx, id, access.AskChanges, d.Reason, func(tx state.Tx, actor access.Actor, c approvals.Comment) (approvals.Request, approvals.CommentKind, error) {
		was, err := approvals.Undecided(tx, id)
		if err != nil {
			return was, "", err
		}
		policy := s.countedBy(was, false)
		ballot := approvals.Ballot{Policy: policy, Reason: d.Reason, Digest: d.Digest, By: actor.User, At: c.At}
		q, err := approvals.AskChanges(tx, id, ballot, c.Behalf, control.VotersOf(tx, was, s.desk.Now()))
		if may := mayVote(tx, s.desk.Now(), actor, was, policy, access.AskChanges); may != nil && (err == nil || errors.Is(err, approvals.ErrNoVote)) {
			err = may
		}
		return q, approvals.CommentChanges, err
	})
}

// write adds to the thread of a request what an act writes there.
func (s *Threads) write(ctx context.Context, id string, act access.Act, text string, add func(state.Tx, access.Actor, approvals.Comment) (approvals.Request, approvals.CommentKind, error)) (q approvals.Request, err error) {
	actor, err := s.desk.Door(ctx, act)
	if err != nil {
		return q, err
	}
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	if err := control.PlainText("comment", text, maxComment); err != nil {
		return q, err
	}
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		was, err := tx.Request(id)
		if err != nil {
			return fmt.Errorf("request %q: %w", id, err)
		}
		if act != access.AskChanges { // which asks for itself, by the stages that wait
			asked := was
			asked.Status = approvals.StatusOpen // of a closed one its state is the better answer
			if err := access.May(actor, act, control.OfRequest(asked)); err != nil {
				return err
			}
		}
		var kind approvals.CommentKind
		c := approvals.Comment{Text: text, By: actor.User, Behalf: actor.Behalf, At: s.desk.Now().UTC()}
		if q, kind, err = add(tx, actor, c); err != nil {
			return err
		}
		app, err := tx.App(q.App)
		if err != nil {
			return err
		}
		emitComment(tx, q, kind, text)
		if q, err = control.CountVotes(tx, q, s.policy.Digest(), s.desk.Now()); err != nil {
			return err
		}
		q = s.service.Explain(q, app.Releases)
		return nil
	})
	return q, err
}

func emitComment(tx state.Tx, q approvals.Request, kind approvals.CommentKind, text string) {
	detail := map[string]string{"kind": string(q.Kind), "release": strconv.Itoa(q.Release)}
	if text != "" {
		detail["reason"] = text
	}
	switch kind {
	case approvals.CommentPlain:
		tx.Emit("request.commented", q.App, q.ID, detail)
	case approvals.CommentChanges:
		tx.Emit("request.changes_asked", q.App, q.ID, detail)
	case approvals.CommentAnswer, approvals.CommentChanged:
		tx.Emit("request.answered", q.App, q.ID, detail)
	}
}

// replaced tells of the requests that a later one replaced.
func replaced(tx state.Tx, gone []approvals.Request) {
	for _, old := range gone {
		tx.Emit("request.withdrawn", old.App, old.ID, map[string]string{"reason": old.Decision.Reason, "replaced_by": old.ReplacedBy})
	}
}
