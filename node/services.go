package node

import (
	"path/filepath"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/apps"
	"github.com/agora-host/agora/control/governance"
	"github.com/agora-host/agora/control/inbox"
	"github.com/agora-host/agora/control/people"
	"github.com/agora-host/agora/control/provisioning"
	"github.com/agora-host/agora/control/publishing"
	"github.com/agora-host/agora/control/revisions"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/internal/budget"
	"github.com/agora-host/agora/registry/sigstore"
	"github.com/agora-host/agora/web/api"
	"github.com/agora-host/agora/web/console"
	"github.com/agora-host/agora/web/scim"
)

// apiServices are what the API finds behind it.
func apiServices(n *Node) api.Services {
	return api.Services{
		About: n, Authenticator: n.People, SignIn: n.People, Logins: n.Logins, Workloads: n.Workloads, Attempts: n.attempts, Conditions: n.revisions, Room: n.Publishing,
		Catalogue: n.Catalogue, Quotas: n.Quotas, HostNames: n.Catalogue, Lifecycle: n.Lifecycle,
		Remover: n.Keeper, Certificates: n.Keeper, Caller: n.Calls,
		Intake: n.Publishing, Publisher: n.Publishing, Policy: n.Publishing, Trust: n.Publishing,
		Routes: n.Governance, Requests: n.Governance, Threads: n.Threads, Together: n.Together, Briefings: n.Briefings, Exemptions: n.Exemptions, Grants: n.Governance, Lives: n.Lives, Audiences: n.Audiences,
		Meter: n.Observer, Samples: n.Observer, Calls: n.Observer, Events: n.Observer, Logs: n.Observer,
		Automation: n.Automation, Vault: n.Vault,
		Tokens: n.People, Sessions: n.Sessions, ServiceAccounts: n.ServiceAccounts, Delegations: n.Delegations, Users: n.People, Provisioning: n.Provisioning, Groups: n.Groups, Inbox: n.Inbox, Access: n.Access, Keys: n.People, Accounts: n.SignIns, Links: n.SignIns,
		Doctor: n.Checkup, Backup: n.Upkeep,
	}
}

// consoleServices are what the console finds behind it.
func consoleServices(n *Node) console.Services {
	return console.Services{
		About: n, Authenticator: n.People, Sessions: n.People, Codes: n.SignOn, Logins: n.Logins, SignIns: n.SignIns, Revisions: n.revisions, Room: n.Publishing,
		Catalogue: n.Catalogue, Pages: n.Pages, Quotas: n.Quotas, HostNames: n.Catalogue, Front: n.tls,
		Lifecycle: n.Lifecycle, Remover: n.Keeper, Certificates: n.Keeper,
		Intake: n.Publishing, Publisher: n.Publishing, Policy: n.Publishing, Sources: n.Publishing,
		Routes: n.Governance, Requests: n.Governance, Threads: n.Threads, Together: n.Together, Briefings: n.Briefings, Exemptions: n.Exemptions, Grants: n.Governance, Lives: n.Lives, Audiences: n.Audiences,
		Meter: n.Observer, Books: n.Observer, Samples: n.Observer, Calls: n.Observer, Events: n.Observer,
		Automation: n.Automation, Vault: n.Vault,
		Tokens: n.People, SignedIn: n.Sessions, ServiceAccounts: n.ServiceAccounts, Delegations: n.Delegations, Users: n.People, Provisioning: n.Provisioning, Groups: n.Groups, Workloads: n.Workloads, Inbox: n.Inbox, Access: n.Access, Keys: n.People, Accounts: n.SignIns, Links: n.SignIns,
	}
}

// openServices makes the services, in the order in which they import each other.
func (n *Node) openServices() {
	n.openDesk()
	n.Upkeep = &Upkeep{
		dir: n.o.DataDir, version: n.o.Version, now: n.o.Now, log: n.log, desk: n.desk, stores: n.stores, files: n.files, reserve: n.reserve,
		places:  budget.NewShared(n.budgets.add("backups", "backups that are read at once", backupsAtOnce), backupsAtOnce),
		resting: restFor, copying: make(chan struct{}, 1),
	}
	n.attempts = &control.Attempts{Desk: n.desk}
	n.People = people.New(people.Options{
		Desk: n.desk, Prover: prover{filepath.Join(n.o.DataDir, nodeFile)},
		ConsoleURL: n.ConsoleURL, Lives: n.o.Sessions, Fresh: n.signIn.fresh(n.o.FreshSignIn),
	})
	n.ServiceAccounts, n.Delegations = people.NewServiceAccounts(n.People), people.NewDelegations(n.desk)
	n.SignIns = people.NewSignIns(n.People, n.signIn.current.Load().forPeople())
	n.Sessions, n.Logins = people.NewSessions(n.People), people.NewLogins(n.People)
	n.Workloads = people.NewWorkloads(n.SignIns)
	n.SignOn = people.NewSignOn(n.People, places{&n.plane})
	n.Provisioning = provisioning.New(provisioning.Options{Desk: n.desk, URL: n.provisioningURL, Rules: n.SignIns.Rules})
	n.Groups, n.Access = people.NewGroups(n.desk), people.NewExplainer(n.desk)
	n.Inbox = inbox.New(n.outlets.options(inbox.Options{Desk: n.desk, ConsoleURL: n.ConsoleURL, Watch: n.watch, Gather: n.o.gather}))
	n.openApps()
	deciding := governance.Options{
		Desk: n.desk, Apps: n.Catalogue, Policy: n.policy, Models: n.models.Classifications(), Verifier: n.verifier,
		Audience: n.audiences(), Addresses: addresses{&n.origins}, BeforeChange: n.pause,
	}
	deciding.Uses = uses{&n.plane}
	n.Governance = governance.New(deciding)
	n.Exemptions = governance.NewExemptions(n.Governance)
	n.dueStarts = governance.NewStarts(n.Governance)
	n.Clocks = governance.NewClocks(n.Governance, nil)
	n.Threads, n.Together, n.Lives = governance.NewThreads(n.Governance), governance.NewTogether(n.Governance), governance.NewLives(n.Governance)
	n.Audiences = governance.NewAudiences(n.Governance, deciding)
	n.Briefings = governance.NewBriefings(n.Governance, n.policy, n.Observer)
	n.revisions = &revisions.Service{
		Desk: n.desk, People: n.People, Groups: n.Groups, Catalogue: n.Catalogue, Governance: n.Governance, Audiences: n.Audiences,
		Automation: func() revisions.Automation { return n.Automation },
	}
	n.Publishing = publishing.New(publishing.Options{
		Desk: n.desk, Apps: n.Catalogue, Keeper: n.Keeper, Governance: n.Governance,
		Intake: publishing.NewIntake(publishing.IntakeOptions{
			Desk: n.desk, Blobs: blobs{n.blobs}, MaxModule: n.o.MaxModule, Budget: n.budgets.add, Reserve: n.reserve.take,
		}),
		Policy: n.policy, Compiler: compiler{&n.plane}, Builder: n.builder, Blobs: blobs{n.blobs}, Authority: n.authority, Verifier: n.verifier, AppURL: n.AppURL,
	})
}

// pause is where a test changes what a change relies on.
func (n *Node) pause() {
	if n.beforeChange != nil {
		n.beforeChange()
	}
}

// openApps makes the services about apps but Automation, which steers the dispatcher.
func (n *Node) openApps() {
	keep := apps.Retention(n.o.KeepReleases)
	n.Catalogue = apps.NewCatalogue(apps.CatalogueOptions{
		Desk: n.desk, Rules: n.policy, Addresses: addresses{&n.origins}, Uses: uses{&n.plane}, Stock: n.kv, Keep: keep, Engines: n.builder.engines,
	})
	n.Quotas = apps.NewQuotas(n.desk)
	n.Lifecycle = apps.NewLifecycle(apps.LifecycleOptions{Desk: n.desk, Catalogue: n.Catalogue, DeleteAfter: n.o.DeleteAfter})
	n.Keeper = apps.NewKeeper(apps.KeeperOptions{
		Desk: n.desk, Keep: keep, Blobs: n.blobs, Copies: copies{n.Upkeep}, Seal: seal{n.authority},
		Remains: remains{stores: n.stores, plane: &n.plane, store: n.store, blobs: n.blobs, files: n.files, logs: n.logs, log: n.log, flush: n.flushUsed},
	})
	n.Observer = apps.NewObserver(apps.ObserverOptions{
		Desk: n.desk, Meter: n.meter, Logs: logs{n.logs}, Samples: samples{n.samples}, Problems: problems{}, IsCall: gateway.IsID,
	})
	n.Vault = apps.NewVault(n.desk, n.ring)
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

// provisioningURL is what a provider is given as the address of its front door.
func (n *Node) provisioningURL(provider string) string {
	return n.ConsoleURL() + scim.Prefix + provider
}

// scimServices are what the front door of providers finds behind it.
func scimServices(n *Node) scim.Services {
	return scim.Services{Authenticator: n.Provisioning, Room: n.Publishing, People: n.Provisioning, Groups: n.Provisioning}
}

// audiences are who may open apps for which no audience was set: as the node was started, and
// otherwise as the policy says of each tier.
func (n *Node) audiences() access.AudienceDefaults {
	if n.o.Audience != "" {
		return access.InAllTiers(n.o.Audience)
	}
	by := access.AudienceDefaults{}
	for _, t := range n.policy.Tiers() {
		by[t.Tier] = access.AudienceKind(t.Audience)
	}
	return by
}
