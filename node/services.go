package node

import (
	"path/filepath"
	"time"

	"github.com/agora-host/agora/control/people"
	"github.com/agora-host/agora/registry/sigstore"
	"github.com/agora-host/agora/web"
)

// The names of the services where they are embedded.
type (
	peopleService = people.Service
)

// services are what the front doors find behind them: each method is one service's, or the node's.
type services struct {
	*Node
	*peopleService
}

var _ web.Node = services{}

func (h *Node) services() services {
	return services{Node: h, peopleService: h.People}
}

// openServices makes the services, in the order in which they import each other.
func (h *Node) openServices() {
	h.openDesk()
	h.People = people.New(people.Options{
		Desk: h.desk, Prover: prover{filepath.Join(h.o.DataDir, nodeFile)},
		ConsoleURL: h.ConsoleURL,
	})
}

// prover proves the possession of keys at this node, whose id is in a file.
type prover struct{ file string }

func (p prover) Hint(pem []byte) (string, error) { return sigstore.ParsePublicKey(pem) }

func (p prover) Challenge(identity string, now time.Time) (string, error) {
	node, err := nodeID(p.file)
	return sigstore.PossessionText(node, identity, now), err
}

func (p prover) Prove(pem []byte, identity, challenge string, proof []byte, now time.Time) error {
	node, err := nodeID(p.file)
	if err != nil {
		return err
	}
	return sigstore.CheckPossession(pem, node, identity, challenge, proof, now)
}
