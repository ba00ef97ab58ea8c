package state

import "time"

// Attempt is a write that its caller gave a key (Idempotency-Key), once it has changed something.
// It is stored in the transaction of the change, so there is never one without the other; the
// response is added once it is known.
type Attempt struct {
	User   string    `json:"user"`
	Key    string    `json:"key"`   // a digest of what the caller sent
	Print  string    `json:"print"` // a digest of the request: the same key with another one is refused
	ID     string    `json:"id"`    // of the one run of the request that made the change
	At     time.Time `json:"at"`
	Answer *Answer   `json:"answer,omitempty"` // nil until it is known
}

// Answer is the response to a write, as it is given again.
type Answer struct {
	Status int    `json:"status"`
	Media  string `json:"media,omitempty"`
	Body   []byte `json:"body,omitempty"`
	// Secret tells that the body held what is shown once, and is not kept.
	Secret bool `json:"secret,omitempty"`
}

// Attempts are read by whom they belong to: one person's keys are no other's.
type Attempts interface {
	// Attempt reads one; found is false if there is none.
	Attempt(user, key string) (a Attempt, found bool, err error)
	// Attempts lists a person's, by key.
	Attempts(user string) ([]Attempt, error)
}

// AttemptWriter keeps attempts. Who writes bounds how many.
type AttemptWriter interface {
	PutAttempt(Attempt) error
	// DeleteAttempt forgets one, if there is one.
	DeleteAttempt(user, key string) error
}
