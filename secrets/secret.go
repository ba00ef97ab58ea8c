package secrets

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

var (
	// ErrNotFound: the app has no such secret.
	ErrNotFound = errors.New("no such secret")
	// ErrBadSecret: a name or a value that cannot be kept.
	ErrBadSecret = errors.New("the secret is not valid")
	// ErrSealed: a secret that cannot be opened: its key is gone, or the record is
	// not what it was.
	ErrSealed = errors.New("the secret cannot be opened")
)

// MaxValue is the most bytes of a value.
const MaxValue = 16 << 10

// Secret is one sealed value of an app.
type Secret struct {
	App    string    `json:"app"`
	Name   string    `json:"name"`
	Key    string    `json:"key"`    // id of the key it is sealed with
	Sealed []byte    `json:"sealed"` // nonce, then ciphertext and tag
	By     string    `json:"by"`     // who set it
	At     time.Time `json:"at"`     // when
}

// LogValue keeps even the sealed bytes out of logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.App + "/" + s.Name) }

// Reader is what one transaction can read of secrets.
type Reader interface {
	// Secret reads one; ErrNotFound if there is none.
	Secret(app, name string) (Secret, error)
	// Secrets lists those of an app or, for "", of all, by app and name.
	Secrets(app string) ([]Secret, error)
}

// Writer is what one transaction can change of secrets.
type Writer interface {
	PutSecret(Secret) error
	// DeleteSecret forgets one; ErrNotFound if there is none.
	DeleteSecret(app, name string) error
}

// Tx is the secrets' part of one transaction.
type Tx interface {
	Reader
	Writer
}

// CheckValue reports whether a value can be kept.
func CheckValue(value []byte) error {
	switch {
	case len(value) == 0:
		return fmt.Errorf("%w: its value is empty", ErrBadSecret)
	case len(value) > MaxValue:
		return fmt.Errorf("%w: its value has %d bytes, more than %d", ErrBadSecret, len(value), MaxValue)
	}
	return nil
}

// Reseal seals every secret anew that is not sealed with the ring's newest key.
// It returns how many.
func Reseal(tx Tx, ring *Ring) (n int, err error) {
	all, err := tx.Secrets("")
	if err != nil {
		return 0, err
	}
	for _, s := range all {
		if s.Key == ring.Newest() {
			continue
		}
		value, err := ring.Open(s)
		if err != nil {
			return n, err
		}
		s.Key, s.Sealed = ring.Seal(s.App, s.Name, value)
		if err := tx.PutSecret(s); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
