package control

import (
	"errors"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/state"
)

// VotersOf returns who votes about a request, as they are in one state: by their roles, their groups
// and whether they are still there, whatever they were when they voted.
func VotersOf(tx state.Reader, q approvals.Request, now time.Time) approvals.Voters {
	return func(name string) (approvals.Voter, error) {
		u, err := tx.User(name)
		switch {
		case errors.Is(err, access.ErrNotFound):
			return approvals.Voter{Person: approvals.Person{Name: name}, Gone: name + " is no person of this node"}, nil
		case err != nil:
			return approvals.Voter{}, err
		case access.IsServiceAccount(u.Name):
			return approvals.Voter{Person: approvals.Person{Name: u.Name, Sponsor: u.Sponsor}, Gone: u.Name + " is a service account, and people vote"}, nil
		case u.Disabled:
			return approvals.Voter{Person: approvals.Person{Name: u.Name}, Gone: u.Name + " has left"}, nil
		}
		a, err := access.ActorOf(tx, u, access.Credential{}, now)
		if err != nil {
			return approvals.Voter{}, err
		}
		who := voterOf(a, q)
		for _, other := range a.For {
			who.For = append(who.For, voterOf(other, q))
		}
		return who, nil
	}
}

// voterOf is somebody as a voter by their own roles.
func voterOf(a access.Actor, q approvals.Request) approvals.Voter {
	reviews := func(concern string) bool { return access.Reviews(a, access.Concern(concern), q.Group) }
	return approvals.Voter{Person: PersonOf(a), Reviews: reviews, Whole: access.ReviewsAll(a, OfRequest(q))}
}

// CountVotes notes which votes of an open request count in one state and under one policy.
func CountVotes(tx state.Reader, q approvals.Request, policy approvals.Digest, now time.Time) (approvals.Request, error) {
	if q.Status != approvals.StatusOpen || len(q.Votes) == 0 {
		return q, nil
	}
	err := q.Count(policy, VotersOf(tx, q, now))
	return q, err
}
