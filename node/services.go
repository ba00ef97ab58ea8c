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
	"github.com/agora-host/agora/web/api"
	"github.com/agora-host/agora/web/console"
)

// apiServices are what the API finds behind it.
func apiServices(h *Node) api.Services {
	return api.Services{
		About: h, Authenticator: h.People, SignIn: h.People, Attempts: h.attempts, Room: h.Publishing,
		Catalogue: h.Catalogue, Quotas: h.Catalogue, HostNames: h.Catalogue, Lifecycle: h.Lifecycle,
		Remover: h.Keeper, Certificates: h.Keeper, Caller: h,
		Intake: h.Publishing, Publisher: h.Publishing, Policy: h.Publishing, Trust: h.Publishing,
		Routes: h.Governance, Requests: h.Governance, Grants: h.Governance,
		Meter: h.Observer, Samples: h.Observer, Calls: h.Observer, Events: h.Observer, Logs: h.Observer,
		Automation: h.Automation, Vault: h.Vault,
		Tokens: h.People, Users: h.People, Keys: h.People,
		Doctor: h, Backup: h,
	}
}

// consoleServices are what the console finds behind it.
func consoleServices(h *Node) console.Services {
	return console.Services{
		About: h, Authenticator: h.People, Sessions: h.People, Room: h.Publishing,
		Catalogue: h.Catalogue, Pages: h.Pages, Quotas: h.Catalogue, HostNames: h.Catalogue,
		Lifecycle: h.Lifecycle, Remover: h.Keeper, Certificates: h.Keeper,
		Intake: h.Publishing, Publisher: h.Publishing, Policy: h.Publishing,
		Routes: h.Governance, Requests: h.Governance, Grants: h.Governance,
		Meter: h.Observer, Books: h.Observer, Samples: h.Observer, Calls: h.Observer, Events: h.Observer,
		Automation: h.Automation, Vault: h.Vault,
		Tokens: h.People, Users: h.People, Keys: h.People,
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
