package node

import (
	"path/filepath"
	"time"

	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/apps"
	"github.com/agora-host/agora/control/governance"
	"github.com/agora-host/agora/control/people"
	"github.com/agora-host/agora/control/publishing"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/registry/sigstore"
	"github.com/agora-host/agora/web"
)

// The names of the services where they are embedded.
type (
	peopleService     = people.Service
	catalogue         = apps.Catalogue
	lifecycle         = apps.Lifecycle
	keeper            = apps.Keeper
	observer          = apps.Observer
	automation        = apps.Automation
	appPages          = apps.Pages
	vault             = apps.Vault
	governanceService = governance.Service
	publishingService = publishing.Service
)

// services are what the front doors find behind them: each method is one service's, or the node's.
type services struct {
	*Node
	*peopleService
	*catalogue
	*lifecycle
	*keeper
	*observer
	*automation
	*appPages
	*vault
	*governanceService
	*publishingService
	*control.Attempts
}

var _ web.Node = services{}

func (h *Node) services() services {
	return services{
		Node: h, peopleService: h.People, catalogue: h.Catalogue, lifecycle: h.Lifecycle, keeper: h.Keeper,
		observer: h.Observer, automation: h.Automation, appPages: h.Pages, vault: h.Vault,
		governanceService: h.Governance, publishingService: h.Publishing, Attempts: h.attempts,
	}
}

// openServices makes the services, in the order in which they import each other.
func (h *Node) openServices() {
	h.openDesk()
	h.attempts = &control.Attempts{Desk: h.desk}
	h.People = people.New(people.Options{
		Desk: h.desk, Prover: prover{filepath.Join(h.o.DataDir, nodeFile)},
		ConsoleURL: h.ConsoleURL,
	})
	h.openApps()
	h.Governance = governance.New(governance.Options{
		Desk: h.desk, Apps: h.Catalogue, Policy: h.policy, Models: h.models.Classifications(), Verifier: h.verifier,
		BeforeChange: h.pause,
	})
	h.Publishing = publishing.New(publishing.Options{
		Desk: h.desk, Apps: h.Catalogue, Keeper: h.Keeper, Governance: h.Governance,
		Intake: publishing.NewIntake(publishing.IntakeOptions{
			Desk: h.desk, Blobs: blobs{h.blobs}, MaxModule: h.o.MaxModule, Budget: h.budget, Reserve: h.reserve.take,
		}),
		Policy: h.policy, Compiler: compiler{h}, Blobs: blobs{h.blobs}, Authority: h.authority, Verifier: h.verifier, AppURL: h.AppURL,
	})
}

// pause is where a test changes what a change relies on.
func (h *Node) pause() {
	if h.beforeChange != nil {
		h.beforeChange()
	}
}

// openApps makes the services about apps but Automation, which steers the dispatcher.
func (h *Node) openApps() {
	keep := apps.Retention(h.o.KeepReleases)
	h.Catalogue = apps.NewCatalogue(apps.CatalogueOptions{
		Desk: h.desk, Rules: h.policy, Addresses: addresses{&h.origins}, Uses: uses{h}, Stock: h.kv, Keep: keep,
	})
	h.Lifecycle = apps.NewLifecycle(apps.LifecycleOptions{Desk: h.desk, Catalogue: h.Catalogue, DeleteAfter: h.o.DeleteAfter})
	h.Keeper = apps.NewKeeper(apps.KeeperOptions{
		Desk: h.desk, Keep: keep, Blobs: h.blobs, Copies: copies{h}, Remains: remains{h}, Seal: seal{h.authority},
	})
	h.Observer = apps.NewObserver(apps.ObserverOptions{
		Desk: h.desk, Meter: h.meter, Logs: logs{h.logs}, Samples: samples{h.samples}, Problems: problems{}, IsCall: gateway.IsID,
	})
	h.Vault = apps.NewVault(h.desk, h.ring)
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
