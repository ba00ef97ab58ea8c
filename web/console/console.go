package console

import (
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/problem"
)

//go:embed templates/*.html static
var files embed.FS

// Options configure the console.
type Options struct {
	SessionLife time.Duration // the longest that a session lasts
	// FreshSignIn returns how long ago a person may have signed in, for acts that ask for that; 0: at any time.
	FreshSignIn func() time.Duration
	Now         func() time.Time
	Logger      *slog.Logger
	MaxModule   int64  // bytes
	Secure      bool   // people reach it through TLS
	AppsDomain  string // where apps live, for texts
	Types       string // agora.d.ts: what apps in TypeScript and JavaScript are given
}

// Services are what the console asks of a node, by area. Each has to be there.
type Services struct {
	About         web.About
	Authenticator web.Authenticator
	Sessions      Sessions
	Codes         Codes
	Logins        Logins
	Revisions     Revisions
	SignIns       SignIns
	Room          web.Room

	Catalogue    web.Catalogue
	Pages        AppPages
	Quotas       web.Quotas
	HostNames    web.HostNames
	Front        web.Front
	Lifecycle    web.Lifecycle
	Remover      web.Remover
	Certificates web.Certificates

	Intake    web.Intake
	Publisher web.Publisher
	Policy    web.Policy
	Sources   Sources

	Routes     web.Routes
	Requests   web.Requests
	Threads    web.Threads
	Together   web.Together
	Briefings  web.Briefings
	Exemptions web.Exemptions
	Lives      web.Lives
	Grants     web.Grants

	Audiences web.Audiences

	Meter      web.Meter
	Books      Books
	Samples    web.Samples
	Calls      web.Calls
	Events     web.Events
	Automation web.Automation
	Vault      web.Vault

	Tokens       web.Tokens
	SignedIn     web.Sessions
	Users        web.Users
	Provisioning web.Provisioning
	Groups       web.Groups
	Workloads    web.WorkloadRules

	ServiceAccounts web.ServiceAccounts
	Delegations     web.Delegations

	Inbox  web.Inbox
	Access web.Explainer
	Keys   web.Keys

	Accounts web.Accounts
	Links    web.Links
}

// Console joins the areas of the console to its addresses. An area has what it asks of a node, and
// the frame that all of them share.
type Console struct {
	frame        *frame
	sessions     *sessions
	providers    *providers
	signOn       *signOn
	logins       *logins
	audiences    *audiences
	catalogue    *catalogue
	apps         *apps
	source       *sources
	lifecycle    *lifecycle
	certificates *certificates
	automation   *automation
	vault        *vault
	uploads      *uploads
	reviews      *reviews
	exemptions   *exemptions
	usage        *usage
	calls        *calls
	activity     *activity
	settings     *settings
	quotas       *quotas
	provisioning *provisioning
	groups       *groups
	machines     *machines
	inbox        *inbox
	whoMay       *whoMay
}

func newConsole(s Services, f *frame) *Console {
	sessions := &sessions{f, s.Sessions, s.SignIns}
	audiences := &audiences{f, s.Audiences}
	return &Console{
		frame:        f,
		sessions:     sessions,
		providers:    &providers{f, sessions, s.SignIns},
		catalogue:    &catalogue{f, s.Catalogue, s.Meter, s.SignIns},
		signOn:       &signOn{f, s.Codes},
		logins:       &logins{f, s.Logins},
		audiences:    audiences,
		apps:         &apps{f, s.Pages, s.Routes, s.Remover, s.Groups, audiences, s.Policy, s.Workloads},
		source:       &sources{f, s.Pages, s.Sources},
		lifecycle:    &lifecycle{s.Lifecycle},
		certificates: &certificates{f, s.Certificates},
		automation:   &automation{s.Automation},
		vault:        &vault{s.Vault},
		uploads:      &uploads{f, s.Catalogue, s.Intake, s.Publisher},
		exemptions:   &exemptions{s.Exemptions},
		reviews:      &reviews{f, s.Requests, s.Threads, s.Together, s.Briefings, s.Grants, s.Lives, s.Policy, s.Catalogue},
		usage:        &usage{f, s.Meter, s.Books, s.Samples},
		calls:        &calls{f, s.Calls},
		activity:     &activity{f, s.Events},
		settings:     &settings{f, s.Tokens, s.Keys, s.Users, s.HostNames, s.Accounts, s.SignIns, s.Links, s.Front, s.SignedIn, s.Delegations},
		quotas:       &quotas{f, s.Quotas},
		provisioning: &provisioning{f, s.Provisioning},
		groups:       &groups{f, s.Groups},
		machines:     &machines{f, s.ServiceAccounts, s.Workloads},
		inbox:        &inbox{f, s.Inbox},
		whoMay:       &whoMay{f, s.Access, s.Users, s.Groups},
	}
}

// New makes the console's handler.
func New(services Services, o Options) (http.Handler, error) {
	web.Need(services)
	f := &frame{
		about: services.About, actors: services.Authenticator, room: services.Room, revisions: services.Revisions, signIns: services.SignIns,
		o: o, log: o.Logger.With("component", "console"), now: time.Now, clock: o.Now,
	}
	if err := f.parse(); err != nil {
		return nil, err
	}
	static, err := fs.Sub(files, "static")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	assets := http.FileServerFS(static)
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=300")
		assets.ServeHTTP(w, r)
	})))
	newConsole(services, f).routes(mux)
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.failed(w, r, problem.ErrCrossOrigin)
	}))
	return f.harden(f.visited(origin.Handler(mux))), nil
}

// page is one that people can look at who may do an act, by the table of who may do what.
type page struct {
	pattern string
	act     access.Act
	show    pageFunc
}

// pages are all pages but the one for signing in.
func (c *Console) pages() []page {
	return []page{
		{"/provisioning", access.ManagePerson, c.provisioning.list},
		{"/provisioning/{provider}", access.ManagePerson, c.provisioning.show},
		{"/{$}", access.FindApp, c.catalogue.show},
		{"/apps/{app}", access.FindApp, c.apps.app},
		{"/apps/{app}/releases/{number}", access.ReadReleases, c.apps.release},
		{"/apps/{app}/releases/{number}/source", access.ReadSource, c.source.show},
		{"/certificates", access.ReadCertificate, c.certificates.list},
		{"/certificates/{id}", access.ReadCertificate, c.certificates.show},
		{"/upload", access.Develop, c.uploads.form},
		{"/requests", access.ReadRequest, c.reviews.requests},
		{"/grants", access.ReadCatalogue, c.reviews.grants},
		{"/usage", access.ReadUsage, c.usage.show},
		{"/calls", access.ReadCalls, c.calls.box},
		{"/calls/{id}", access.ReadCalls, c.calls.show},
		{"/policy", access.ReadCatalogue, c.reviews.policy},
		{"/activity", access.ReadCatalogue, c.activity.show},
		{"/access", access.ExplainAccess, c.whoMay.show},
		{"/groups", access.ReadMemberships, c.groups.list},
		{"/groups/{group}", access.ReadGroup, c.groups.show},
		{"/service-accounts", access.ReadServiceAccounts, c.machines.list},
		{"/service-accounts/{name}", access.ReadServiceAccounts, c.machines.show},
		{"/inbox", access.ReadNotices, c.inbox.show},
		{"/settings", access.ManageTokens, c.settings.show},
		{"/quotas", access.ReadQuotas, c.quotas.show},
		{"/again", access.LookAround, c.providers.askAgain},
		{"/login", access.ManageTokens, c.logins.show},
		{"/device", access.ManageTokens, c.logins.device},
		{"/sign-out", access.LookAround, c.sessions.leave},
	}
}

// Pages returns the pattern of every page. What is promised of all of them is tested of all.
func Pages() []string {
	all := []string{"/sign-in", "/signed-out"}
	for _, p := range new(Console).pages() {
		all = append(all, p.pattern)
	}
	return all
}

// routes lists every page and every act.
func (c *Console) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /sign-in", c.sessions.show)
	mux.HandleFunc("POST /sign-in", c.sessions.signIn)
	mux.HandleFunc("POST /sign-out", c.sessions.signOut)
	mux.HandleFunc("GET /signed-out", c.providers.gone)
	mux.HandleFunc("GET /auth/{provider}", c.providers.begin)
	mux.HandleFunc("GET /auth/{provider}/connect", c.frame.own(c.providers.connect))
	mux.HandleFunc("GET /auth/{provider}/again", c.frame.own(c.providers.again))
	mux.HandleFunc("GET /auth/{provider}/callback", c.providers.back)
	mux.HandleFunc("POST /auth/{provider}/logout", c.providers.notice)
	mux.HandleFunc("GET /authorize", c.signOn.authorize)
	mux.HandleFunc("GET /authorize/continue", c.signOn.proceed)

	mux.HandleFunc("GET /certificates/{id}/document", c.frame.own(c.certificates.save))
	mux.HandleFunc("GET /certificates/{id}/signature", c.frame.own(c.certificates.save))
	for _, p := range c.pages() {
		mux.HandleFunc("GET "+p.pattern, c.frame.page(p.act, p.show))
	}
	mux.HandleFunc("GET /agora.d.ts", c.frame.own(c.uploads.types))
	mux.HandleFunc("GET /usage.csv", c.frame.own(c.usage.export("csv")))
	mux.HandleFunc("GET /usage.json", c.frame.own(c.usage.export("json")))
	mux.HandleFunc("GET /calls/find", c.frame.own(c.calls.find))

	act := func(pattern string, do actFunc, what access.Act) {
		mux.HandleFunc("POST "+pattern, c.frame.act(do, what))
	}
	edit := func(pattern string, of subject, do actFunc, what access.Act) {
		act(pattern, c.frame.expecting(of, do), what)
	}
	mux.HandleFunc("POST /upload", c.uploads.take)
	act("/inbox/open", c.inbox.open, access.ReadNotices)
	act("/inbox/mark", c.inbox.mark, access.ReadNotices)
	act("/inbox/settings", c.inbox.choose, access.ReadNotices)
	edit("/apps/{app}/activate", anApp, c.apps.activate, access.Route)
	edit("/apps/{app}/rollback", anApp, c.apps.rollBack, access.Route)
	edit("/apps/{app}/suspend", anApp, c.lifecycle.suspendApp, access.SuspendApp)
	edit("/apps/{app}/resume", anApp, c.lifecycle.resumeApp, access.ResumeApp)
	edit("/apps/{app}/maintain", anApp, c.lifecycle.maintainApp, access.MaintainApp)
	edit("/apps/{app}/unmaintain", anApp, c.lifecycle.endMaintenance, access.EndMaintenance)
	edit("/apps/{app}/quarantine", anApp, c.lifecycle.quarantineApp, access.QuarantineApp)
	edit("/apps/{app}/unquarantine", anApp, c.lifecycle.endQuarantine, access.EndQuarantine)
	edit("/apps/{app}/delete", anApp, c.lifecycle.deleteApp, access.DeleteApp)
	edit("/apps/{app}/undelete", anApp, c.lifecycle.undeleteApp, access.UndeleteApp)
	edit("/apps/{app}/transfer", anApp, c.lifecycle.transferApp, access.TransferApp)
	edit("/apps/{app}/owners", anApp, c.lifecycle.shareApp, access.ShareApp)
	edit("/apps/{app}/offer", anApp, c.lifecycle.answerOffer, access.EndOffer)
	edit("/apps/{app}/audiences/{tier}", anAudience, c.audiences.set, access.SetAudience)
	act("/apps/{app}/access", c.audiences.answer, access.SetAudience)
	edit("/apps/{app}/title", anApp, c.lifecycle.renameApp, access.RenameApp)
	edit("/apps/{app}/promote", anApp, c.reviews.promote, access.AskReview)
	act("/apps/{app}/releases/{number}/delete", c.apps.deleteRelease, access.DeleteRelease)
	edit("/apps/{app}/ask", anApp, c.reviews.askAgain, access.AskReview)
	edit("/apps/{app}/triggers/pause", aTrigger, c.automation.pauseTrigger, access.RunTriggers)
	act("/apps/{app}/triggers/run", c.automation.runTrigger, access.RunTriggers)
	act("/apps/{app}/dead-letters/{seq}/redeliver", c.automation.redeliver, access.RunTriggers)
	act("/apps/{app}/dead-letters/{seq}/delete", c.automation.deleteDeadLetter, access.RunTriggers)
	act("/requests/decision", c.reviews.decideSelected, access.DecideRequest)
	act("/apps/{app}/releases/{number}/decision", c.reviews.decideRelease, access.DecideRequest)
	edit("/requests/{id}/decision", aRequest, c.reviews.decide, access.DecideRequest)
	edit("/requests/{id}/ask-changes", aRequest, c.reviews.askChanges, access.AskChanges)
	act("/requests/{id}/comments", c.reviews.comment, access.CommentRequest)
	edit("/requests/{id}/withdraw", aRequest, c.reviews.withdraw, access.WithdrawRequest)
	edit("/apps/{app}/exemptions", anApp, c.exemptions.ask, access.AskReview)
	edit("/requests/{id}/revoke-exemption", aRequest, c.exemptions.revoke, access.ReduceGrant)
	edit("/grants/{id}/revoke", aGrant, c.reviews.revokeGrant, access.ReduceGrant)
	edit("/apps/{app}/emergency-grants", anApp, c.reviews.breakGlass, access.GrantEmergency)
	act("/grants/{id}/renew", c.reviews.renewGrant, access.AskReview)
	act("/grants/{id}/certify", c.reviews.certifyGrant, access.CertifyGrant)
	act("/grants/{id}/shrink", c.reviews.shrinkGrant, access.ReduceGrant)
	act("/apps/{app}/secrets", c.vault.set, access.SetSecrets)
	act("/apps/{app}/secrets/{name}/delete", c.vault.delete, access.SetSecrets)
	mux.HandleFunc("POST /provisioning/tokens", c.provisioning.newToken)
	mux.HandleFunc("POST /people/import", c.provisioning.importPeople)
	act("/provisioning/{provider}/revoke", c.provisioning.revoke, access.ManagePerson)
	act("/provisioning/{provider}/link", c.provisioning.link, access.ManagePerson)
	act("/provisioning/{provider}/dismiss", c.provisioning.dismiss, access.ManagePerson)
	mux.HandleFunc("POST /settings/tokens", c.settings.newToken)
	mux.HandleFunc("POST /login", c.logins.answer)
	act("/device", c.logins.answerDevice, access.ManageTokens)
	act("/settings/tokens/{id}/revoke", c.settings.revokeToken, access.ManageTokens)
	act("/settings/sessions/{id}/end", c.settings.endSession, access.ManageSessions)
	act("/settings/sessions/end", c.settings.endSessions, access.ManageSessions)
	act("/settings/delegations", c.settings.delegate, access.Delegate)
	act("/settings/delegations/{id}/end", c.settings.endDelegation, access.EndDelegations)
	act("/settings/keys", c.settings.addKey, access.ManageKeys)
	act("/settings/keys/delete", c.settings.deleteKey, access.ManageKeys)
	act("/settings/links", c.settings.switchLinks, access.ManagePerson)
	act("/settings/accounts/disconnect", c.settings.disconnect, access.ManageAccounts)
	edit("/settings/users", aUser, c.settings.putUser, access.ManagePerson)
	edit("/settings/users/rename", aUser, c.settings.renameUser, access.ManagePerson)
	act("/service-accounts", c.machines.create, access.ManageServiceAccount)
	act("/service-accounts/{name}/change", c.machines.change, access.ManageServiceAccount)
	act("/service-accounts/{name}/delete", c.machines.remove, access.ManageServiceAccount)
	mux.HandleFunc("POST /service-accounts/{name}/tokens", c.machines.newToken)
	act("/service-accounts/{name}/revoke", c.machines.revokeToken, access.ManageServiceAccount)
	act("/groups", c.groups.create, access.ManageGroup)
	act("/groups/{group}/rename", c.groups.rename, access.ManageGroup)
	act("/groups/{group}/delete", c.groups.remove, access.ManageGroup)
	act("/groups/{group}/add", c.groups.add, access.ManageGroup)
	act("/groups/{group}/remove", c.groups.take, access.ManageGroup)
	act("/quotas/set", c.quotas.set, access.SetQuotas)
	act("/quotas/clear", c.quotas.clear, access.SetQuotas)
	act("/settings/domains", c.settings.createDomain, access.Operate)
	act("/settings/domains/delete", c.settings.deleteDomain, access.Operate)
	mux.HandleFunc("POST /settings/users/invite", c.settings.inviteUser)

	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { c.frame.failed(w, r, problem.ErrNoSuchPage) })
}
