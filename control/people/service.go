package people

import (
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
)

// Prover proves that whoever adds a public key has its private half.
type Prover interface {
	// Hint is the name of a public key in PEM.
	Hint(pem []byte) (string, error)
	// Challenge returns a text to sign, which is good for this identity, at this node and now.
	Challenge(identity string, now time.Time) (string, error)
	// Prove returns an error unless proof is the key's signature of a challenge that is still good.
	Prove(pem []byte, identity, challenge string, proof []byte, now time.Time) error
}

// Options are what a Service needs.
type Options struct {
	Desk   *control.Desk
	Prover Prover
	// ConsoleURL is where people find the console. It is asked for only once the node listens.
	ConsoleURL func() string
	// Lives say how long sessions last; the zero value: as access.Lives.Or says.
	Lives access.Lives
	// Fresh returns how long ago a person may have signed in for what asks for a fresh sign-in; 0: at any time.
	Fresh func() time.Duration
}

// Service keeps users and their credentials.
type Service struct {
	desk       *control.Desk
	prover     Prover
	consoleURL func() string
	lives      access.Lives
	fresh      func() time.Duration
	used       uses
}

// New makes a Service.
func New(o Options) *Service {
	return &Service{desk: o.Desk, prover: o.Prover, consoleURL: o.ConsoleURL, lives: o.Lives.Or(), fresh: o.Fresh}
}
