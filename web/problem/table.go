package problem

import (
	"context"
	"errors"
	"net/http"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/static"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/internal/budget"
	"github.com/agora-host/agora/internal/door"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/rate"
	"github.com/agora-host/agora/notices"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/triggers"
	"github.com/agora-host/agora/triggers/webhook"
)

// What a request itself can get wrong, before any domain is asked.
var (
	ErrBadRequest       = errors.New("the request cannot be read")
	ErrNotRepeated      = errors.New("the name was not repeated")
	ErrNoSuchPage       = errors.New("there is nothing at this address")
	ErrMethodNotAllowed = errors.New("this address does not take that method")
	ErrMediaType        = errors.New("the content type is not taken here")
	ErrCrossOrigin      = errors.New("the request came from another site")
)

// Entry is one kind of problem.
type Entry struct {
	Slug    string
	Status  int
	Title   string
	Meaning string // for the page that explains it, and for end users of apps
	Remedy  abi.Remedy
	errs    []error

	expected bool // although its status is 500 or more: a client can cause it at will
	forAll   bool // its text is for end users, too
}

func entry(slug string, status int, title, meaning, remedy string, errs ...error) Entry {
	return Entry{Slug: slug, Status: status, Title: title, Meaning: meaning, Remedy: abi.Remedy{Summary: remedy}, errs: errs}
}

func (e Entry) commands(lines ...string) Entry {
	e.Remedy.Commands = lines
	return e
}

// toAll lets end users of an app read the error's own text, which says whom to ask.
func (e Entry) toAll() Entry {
	e.forAll = true
	return e
}

func (e Entry) causedByClients() Entry {
	e.expected = true
	return e
}

// internal is what every error is that is not in the table.
var internal = entry("internal", http.StatusInternalServerError, "The node has a problem",
	"Something went wrong inside the node. Nothing that was stored before is lost.",
	"Try again. If it persists, tell the people who run the node; its log has the details.").
	commands("agora doctor")

// table is every kind of problem, in the order of the catalogue. The first
// entry that matches an error is its problem, so the specific stands before the
// general.
var table = []Entry{
	entry("bad-body", http.StatusBadRequest, "The request's body cannot be read",
		"The body is malformed, or the connection ended before all of it was sent.",
		"Send the body again, whole; its framing is what Content-Length or Transfer-Encoding says.", door.ErrBadBody),
	entry("body-too-slow", http.StatusRequestTimeout, "The request's body arrives too slowly",
		"A body that makes no progress takes a place from other people, so it is given up.",
		"Send it again over a better line.", door.ErrTooSlow),
	entry("node-crowded", http.StatusServiceUnavailable, "The node is crowded",
		"The node holds as much for its clients, or for this address, as it may at once.",
		"Try again in a moment; the people who run the node can size it with --body-memory, --response-memory and --connections-per-address.", door.ErrNoRoom, door.ErrTooMany).
		commands("agora doctor").causedByClients(),
	entry("too-many-headers", http.StatusRequestHeaderFieldsTooLarge, "The request has too many headers",
		"A request has at most 128 header fields.",
		"Send fewer headers; cookies that have piled up can be deleted in the browser.", door.ErrHeaders),
	entry("bad-protocol", http.StatusHTTPVersionNotSupported, "This version of HTTP is not spoken here",
		"The node speaks HTTP/1.1, and HTTP/2 where it speaks TLS.",
		"Use HTTP/1.1, or TLS; a proxy in front may speak other versions to its clients.", door.ErrProtocol).causedByClients(),
	entry("bad-parameter", http.StatusBadRequest, "A parameter of the address is not valid",
		"A parameter of the path or of the query is not known here, is given twice, or has another type or range.",
		"Correct the parameter that the detail names; the API is described at /api/v1/openapi.json.", control.ErrParameter),
	entry("bad-request", http.StatusBadRequest, "The request cannot be read",
		"A parameter, a form field or a JSON document is missing or not what is expected here.",
		"Correct what the detail names; the API is described at /api/v1/openapi.json.", ErrBadRequest),
	entry("no-such-page", http.StatusNotFound, "There is nothing here",
		"No page and no API operation has this address.",
		"Check the address, or start from the catalogue at /.", ErrNoSuchPage),
	entry("method-not-allowed", http.StatusMethodNotAllowed, "This address does not take that method",
		"The address exists, but not for this HTTP method.",
		"Use a method that the Allow header lists; see /api/v1/openapi.json.", ErrMethodNotAllowed, door.ErrMethod, webhook.ErrMethod),
	entry("name-not-repeated", http.StatusUnprocessableEntity, "The name was not repeated",
		"Whoever deletes an app repeats its name, so that no other app is deleted by mistake.",
		"Send the name of the app that is to be deleted as app.", ErrNotRepeated),
	entry("bad-idempotency-key", http.StatusBadRequest, "The idempotency key is not valid",
		"A key has 1 to 255 visible ASCII characters, and a request has one of them.",
		"Send a random key in the header Idempotency-Key, such as a UUID, or none.", control.ErrBadKey),
	entry("idempotency-key-reused", http.StatusConflict, "The key was used for another request",
		"You sent another request with this Idempotency-Key within a day: to another address, or with another body. Nothing happened.",
		"Choose a new key for each request, and repeat a request as it was.", control.ErrKeyReused),
	entry("precondition-failed", http.StatusPreconditionFailed, "The document has changed since it was read",
		"The request named in If-Match the version that it is about, or in If-None-Match that there is none. What is there now is another one: another person has changed it, or made it, meanwhile. Nothing was changed.",
		"Read the document again, look at what has changed, and send the request with its new ETag if it is still what you want.", control.ErrPrecondition),
	entry("request-in-progress", http.StatusConflict, "The same request is being served",
		"A request with this Idempotency-Key has not ended yet.",
		"Send it again in a moment: it returns the response to the first.", control.ErrInProgress),
	entry("answer-lost", http.StatusConflict, "The request was served before, and its response is not kept",
		"What you asked for was done once, and is not done again. Its response was too large to keep, or the node stopped before it was kept.",
		"Read what the request was about, or the changes under /api/v1/events.", control.ErrAnswerLost),
	entry("answer-secret", http.StatusConflict, "The request was served before, and its response is not shown again",
		"What you asked for was done once, and is not done again. Its response held a secret, which is shown once and kept nowhere.",
		"If you did not see it, revoke what was made, and ask with a new key.", control.ErrAnswerSecret).
		commands("agora tokens list"),
	entry("media-type", http.StatusUnsupportedMediaType, "The content type is not taken here",
		"The body has a type or an encoding that this operation does not read. Compressed bodies are never unpacked.",
		"Send the content type that /api/v1/openapi.json names, without Content-Encoding.", ErrMediaType),
	entry("cross-origin", http.StatusForbidden, "The request came from another site",
		"A browser sent this form from a page of another site, which may not act for you.",
		"Open the console itself and do it there.", ErrCrossOrigin),

	entry("no-place", http.StatusServiceUnavailable, "No place is free for this",
		"The node takes in, reads and copies only so much at once, and all of that is taken.",
		"Try again in a moment. If it persists, an operator sees in the doctor's line about budgets what is used up.", budget.ErrExhausted).
		commands("agora doctor").causedByClients(),
	entry("too-many-at-once", http.StatusTooManyRequests, "You do too much at once",
		"Of what the node does at once each person has a share, so that the others have theirs.",
		"Let what is running end, and try again.", budget.ErrShare),

	entry("sponsor-left", http.StatusUnauthorized, "The service account's sponsor has left",
		"A person answers for each service account. When that person leaves, all its tokens end at once.",
		"An operator names another sponsor, who then makes new tokens.", access.ErrNoSponsor).
		commands("agora service-accounts list --orphaned", "agora service-accounts set NAME --sponsor PERSON"),
	entry("access-unseen", http.StatusServiceUnavailable, "The node cannot see who may open its apps",
		"The node does not reach its state, or has not for some seconds followed what changes there. What it remembers of people, sessions and audiences may not hold any more, so it lets no one in by that.",
		"Try again in a moment. If it persists, tell the people who run the node.", access.ErrUnseen).
		commands("agora doctor"),
	entry("not-signed-in", http.StatusUnauthorized, "You are not signed in",
		"This needs a known user: a session in the browser, or an API token.",
		"Sign in again, with a fresh sign-in link or an API token.", access.ErrUnauthenticated).
		commands("agora login http://localhost:8080"),
	entry("sign-in-link-used", http.StatusUnauthorized, "This sign-in link does not work any more",
		"A sign-in link works once, for fifteen minutes.",
		"Ask an operator for another link; on a node of your own, start it again.", access.ErrLinkUsed).
		commands("agora users invite you@example.com"),
	entry("sign-in-provider-down", http.StatusBadGateway, "The sign-in provider cannot be reached",
		"Your company's sign-in provider does not respond, or responds with what cannot be used. Those who are signed in stay signed in.",
		"Try again in a moment. If it persists, tell the people who run the node; an operator can also give you a one-time sign-in link.", access.ErrProviderDown).
		commands("agora doctor", "agora users invite you@example.com").causedByClients(),
	entry("sign-in-refused", http.StatusForbidden, "The sign-in provider did not sign you in",
		"Your company's sign-in provider was asked, and did not sign you in. The detail has its own words.",
		"Sign in again. If it persists, ask whoever runs the provider for access to this console.", access.ErrProviderRefused),
	entry("sign-in-not-fresh", http.StatusForbidden, "The provider did not ask you to sign in again",
		"What you were about to do needs proof of this moment that it is you, and the provider did not ask for it.",
		"Sign out at the provider, and sign in again here.", access.ErrNotFresh),
	entry("fresh-sign-in-needed", http.StatusForbidden, "Sign in again to do this",
		"To decide about requests, and to change people, groups, roles and quotas, takes a session whose person signed in a moment ago: a window that was left open does not do.",
		"Sign in again in the console, which keeps what you typed; a program uses an API token with the scope for it.", access.ErrStepUp).
		commands("agora tokens create NAME --scope requests:decide"),
	entry("sign-in-not-trusted", http.StatusForbidden, "The sign-in cannot be trusted",
		"What came back from the provider does not belong to a sign-in that this browser began within ten minutes, or fails a check.",
		"Sign in again, in one window. If it persists, tell the people who run the node what the detail says.", access.ErrUntrustedSignIn),
	entry("sign-in-not-vouched", http.StatusForbidden, "The sign-in provider does not vouch for your mail address",
		"People are named here by a mail address, and the provider names none for you, or does not say that it is yours.",
		"Have the provider confirm your address, or ask the people who run the node what its provider has to send.", access.ErrUnvouched),
	entry("account-not-connected", http.StatusConflict, "Your account is not connected to the user of your name",
		"A user here has the mail address that the provider says is yours. An address alone makes nobody that user: addresses move from one person to another.",
		"If that user is you, sign in as you did before and connect the account in your settings. An operator sees this refusal and can give you a one-time link.", access.ErrNotConnected).
		commands("agora users invite you@example.com"),
	entry("account-taken", http.StatusConflict, "The account cannot be connected",
		"An account at a sign-in provider is connected to one user, and a user has one account at each provider.",
		"Do what the detail says.", access.ErrAccountTaken),
	entry("last-way-in", http.StatusConflict, "That would be the last way in",
		"With that, a person, or every operator, could not sign in any more.",
		"Connect another account, or sign in at the provider, first; an operator can disconnect another person's account.", access.ErrLastWayIn),
	entry("bad-role-rule", http.StatusUnprocessableEntity, "A rule that gives roles cannot be used",
		"A rule gives one or more roles to groups of a sign-in provider, or to everyone.",
		"Correct the line that the detail names.", access.ErrRule),
	entry("app-sign-in", http.StatusUnauthorized, "Sign in to open this app",
		"The app is not open to everybody, and the request carries no session at the address of the app, or one that has ended. Nothing was sent to the app.",
		"Open the address of the app in a window of the browser, which signs you in. A program sends a token that opens this app alone.", access.ErrSignIn, access.ErrSessionEnded).
		commands("agora tokens create NAME --scope apps:open --app <app>").toAll(),
	entry("not-admitted", http.StatusForbidden, "The app is not open to you",
		"You are known, and the owner of the app has not opened it to you.",
		"Ask for access, at the address of the app or here. The owner decides.", access.ErrNotAdmitted).
		commands("agora audience ask <app>").toAll(),
	entry("sign-on-incomplete", http.StatusForbidden, "The sign-in did not complete",
		"A code that leads a browser back to an app is good once, for thirty seconds, at one address and in one browser.",
		"Open the address of the app again.", access.ErrCode),
	entry("exchange-refused", http.StatusForbidden, "The token was not exchanged",
		"A node exchanges the token of a CI's job once, if a rule of the node names its issuer, its audience and its claims, and if the service account of the rule and the person who answers for it are there. Why this one was refused, the node's log says, and no one else is told.",
		"Have the CI make a token for the audience of the rule, in the job that needs it, and exchange it once. If it stays, ask whoever runs the node for what its log says.", access.ErrExchange).
		commands("agora access test --sign-in sign-in.json --workload --claims claims.json"),
	entry("issuer-down", http.StatusServiceUnavailable, "The issuer of the token could not be asked for its keys",
		"A token is verified with its issuer's keys. The issuer does not respond, or was asked a moment ago.",
		"Try again in ten seconds, with the same token: it is not used up.", access.ErrIssuerDown).causedByClients(),
	entry("too-many-exchanges", http.StatusTooManyRequests, "Too many tokens of your address were refused",
		"Anyone who reaches the node can bring tokens, so that it looks at only so many of one address of which none is good.",
		"Try again in a minute.", access.ErrExchanges),
	entry("workload-rule-invalid", http.StatusUnprocessableEntity, "A rule by which workloads get tokens cannot be used",
		"A rule names an issuer, an audience, scopes, a service account, and the claims that a job's token has to have: ids and no names.",
		"Correct the line that the detail names.", access.ErrWorkloadRule),
	entry("login-incomplete", http.StatusForbidden, "The login did not complete",
		"What a program brings for its token is good once, for a minute, to the program that asked for it, and while the session lasts in which a person confirmed it.",
		"Log in again.", access.ErrLogin).
		commands("agora login"),
	entry("authorization-pending", http.StatusBadRequest, "No person has confirmed the login yet",
		"A program waits for a person, who types its code in the console, sees what it asks for and confirms it.",
		"Ask again after the interval that the node named.", access.ErrLoginPending),
	entry("slow-down", http.StatusBadRequest, "The program asks too often",
		"A program that waits for a person asks no more often than it was told to.",
		"Wait five seconds longer between two questions from now on.", access.ErrLoginSlow),
	entry("access-denied", http.StatusForbidden, "The login was refused",
		"A person saw in the console what the program asks for, and refused it.",
		"If that was a mistake, log in again and confirm it.", access.ErrLoginDenied).
		commands("agora login"),
	entry("login-expired", http.StatusForbidden, "No person confirmed the login in time",
		"A login that waits for a person is good for ten minutes, and one that a browser brings for one.",
		"Log in again.", access.ErrLoginExpired).
		commands("agora login"),
	entry("too-many-logins", http.StatusTooManyRequests, "The node keeps no more logins that wait",
		"Anyone who reaches the node can ask for a login that waits for a person, so that the node keeps only so many, and few of one address.",
		"Try again in some minutes, or log in through the browser of this machine, which waits for nothing.", access.ErrLoginsFull).
		commands("agora login"),
	entry("no-such-code", http.StatusNotFound, "No login waits under this code",
		"The code was mistyped, was used or refused, or is older than ten minutes.",
		"Type it as the program shows it; if it stays, start the login anew.", access.ErrUserCode).
		commands("agora login --device"),
	entry("too-many-codes", http.StatusTooManyRequests, "You typed too many wrong codes",
		"A person types ten codes within ten minutes under which no login waits, and no more: the codes of others are not to be found by trying.",
		"Wait some minutes, and start the login anew.", access.ErrGuesses).
		commands("agora login --device"),
	entry("cross-site", http.StatusForbidden, "Another site asked for this",
		"A page of another site, or of another app, sent this with your session, or asked whether it may. Apps that are not open to everybody take only what their own pages send, and links that a person follows.",
		"Open the address of the app itself and do it there.", access.ErrCrossSite).toAll(),
	entry("no-service-worker", http.StatusForbidden, "Service workers are not allowed here",
		"A service worker would answer for the app after its visitor has signed out.",
		"Do without, or set service_workers = true below [access] in the manifest, which reviewers see.", access.ErrWorker).toAll(),
	entry("token-not-for-apps", http.StatusForbidden, "The token is not for apps",
		"The request carried a token of the platform to the address of an app. It was not passed on; but whoever sends a token to an app trusts the way to it, and the app's address.",
		"Send a token that opens this app alone, which is good for nothing else; use this one with the API alone.", access.ErrPlatformToken).
		commands("agora tokens create NAME --scope apps:open --app <app>").toAll(),
	entry("misdirected", http.StatusMisdirectedRequest, "The address is written otherwise",
		"An app that is not open to everybody is served at one spelling of its address, to which sessions are bound.",
		"Use the address as the catalogue has it: in lower case, without a dot at its end.", access.ErrMisdirected).toAll(),
	entry("no-sign-in-kept", http.StatusForbidden, "No sign-in is kept at this address",
		"The app takes a sign-in, and is reached by plain http at a name that is not this machine's: browsers keep no secure cookie there, so that signing in would go round in circles.",
		"Whoever runs the node lets people come by https, and names that address with --console-url. Apps that are public go on.", access.ErrNoCookies).
		commands("agora serve --console-url https://agora.example.com", "agora audience show <app>").toAll(),
	entry("no-such-path", http.StatusNotFound, "The platform has nothing at this path",
		"Paths that begin with /.agora/ are the platform's own, at the address of every app.",
		"Check the address.", access.ErrNoPath),
	entry("path-method", http.StatusMethodNotAllowed, "The platform does not take this method here",
		"Signing out, and asking for access, are POST requests of a page of this address.",
		"Use the buttons of the page at /.agora/session.", access.ErrPathMethod),
	entry("bad-audience", http.StatusUnprocessableEntity, "The audience is not valid",
		"An audience has a kind (owner, people, organisation or public), and names people and groups for the kind people.",
		"Correct what the detail names.", access.ErrBadAudience).
		commands("agora audience show <app>"),
	entry("access-asked", http.StatusConflict, "Access was asked for already",
		"One request of a person is decided at a time, and one that was refused can be repeated after a day.",
		"Wait, or ask the owner.", access.ErrAccessAsked).
		commands("agora audience requests <app>"),
	entry("access-there", http.StatusConflict, "The person may open the app already",
		"Access is asked for by people whom the audience does not have.",
		"Open the app.", access.ErrAccessThere),
	entry("no-audience", http.StatusNotFound, "No audience was set",
		"The default of the tier holds.",
		"Set an audience.", access.ErrNoAudience).
		commands("agora audience show <app>"),
	entry("no-such-access-request", http.StatusNotFound, "There is no such request for access",
		"The person did not ask for access to this tier.",
		"List the requests of the app.", access.ErrNoAccessRequest).
		commands("agora audience requests <app>"),

	entry("sign-in-links-off", http.StatusForbidden, "One-time sign-in links are switched off",
		"People sign in at the company's provider here. An operator switched one-time links off, so none is made, and none that was made before is taken.",
		"Sign in at the provider. If every provider is down, the people who run the node start it with --admin-link.", access.ErrLinksOff).
		commands("agora serve --admin you@example.com --admin-link"),
	entry("forbidden", http.StatusForbidden, "You may not do that",
		"It takes a role, or an app, that is not yours.",
		"Ask a person who has the role, or ask an operator for it.", access.ErrForbidden),
	entry("insufficient-scope", http.StatusForbidden, "The token is not for that",
		"A token may do what its scopes name, for the apps that it is bound to, and no more than its user may.",
		"Make a token with the scope that the detail names, or use one that has it.", access.ErrScope).
		commands("agora tokens list", "agora tokens create NAME --scope SCOPE"),
	entry("in-person", http.StatusForbidden, "A person does that",
		"Requests are decided, and people, what they come in with and whose an app is are changed, by people themselves: never by a service account, and never by an assistant or a pipeline on a person's behalf.",
		"Sign in to the console yourself, or use a token of your own that was not made for automation.", access.ErrInPerson).
		commands("agora login"),
	entry("bad-delegation", http.StatusUnprocessableEntity, "The delegation is not valid",
		"A reviewer has another reviewer decide in their place, for up to 90 days, for all or some of what the reviewer reviews, and says why. One who names nobody is away, for as long at most.",
		"Read the detail; it names what is wrong.", access.ErrBadDelegation).
		commands("agora delegate to PERSON --until 2026-12-03 --reason 'on leave'", "agora delegate away --until 2026-12-03"),
	entry("delegated-right", http.StatusConflict, "A delegated right cannot be delegated on",
		"Who decides in the place of another person does not pass that on: who votes is always one whom the reviewer chose.",
		"Ask the reviewer whose right it is to choose another person.", access.ErrDelegatedRight).
		commands("agora delegate list"),
	entry("no-delegation", http.StatusNotFound, "There is no such delegation",
		"A delegation is gone once it has ended.", "List those that there are.", access.ErrNoDelegation).
		commands("agora delegate list"),
	entry("bad-service-account", http.StatusUnprocessableEntity, "The service account is not valid",
		"A service account has a name of its own, a person who answers for it, and no role that this person has not. It is no person: it never signs in, owns no app and is in no group.",
		"Read the detail; it names what is wrong.", access.ErrServiceAccount).
		commands("agora service-accounts list"),
	entry("backup-needs-more", http.StatusForbidden, "A backup asks for more than a role",
		"A backup holds the node's keys: whoever has it can sign as any user here. So it takes a token that names the scope backup:read, or a session that began within the last fifteen minutes.",
		"Sign in to the console anew and make a token with the scope backup:read there; then give it with --token.", access.ErrBackup).
		commands("agora login LINK --scope all --scope backup:read", "agora backup --to agora.tar.gz --token TOKEN"),
	entry("last-operator", http.StatusConflict, "The node would have no operator",
		"At least one operator has to be able to invite people. The last operator can neither be disabled nor lose the role.",
		"Make another user an operator first.", access.ErrLastOperator).
		commands("agora users set you@example.com --role operator"),
	entry("bad-user", http.StatusUnprocessableEntity, "The user or token is not valid",
		"A user's name is a mail address in lower case; roles are viewer, developer, reviewer and operator.",
		"Correct what the detail names.", access.ErrBadUser),

	entry("bad-manifest", http.StatusUnprocessableEntity, "The manifest is not valid",
		"agora.toml cannot be read, has a key that is not known, or a value out of bounds.",
		"Correct the lines that the findings name; the schema is at /api/v1/schemas/manifest.json.", registry.ErrBadManifest).
		commands("agora policy check agora.toml"),
	entry("bad-script", http.StatusUnprocessableEntity, "The script cannot become a module",
		"The script has an error, imports what is not there, or is none of JavaScript, TypeScript or, as a preview, Python.",
		"Correct the lines that the findings name; docs/javascript.md says what a script can use, docs/python.md what one in Python.", registry.ErrBadScript).
		commands("agora dev app.ts"),
	entry("no-source", http.StatusNotFound, "The release has no source to show",
		"Its module does not carry the files that it was made of: it was built elsewhere, or of another language.",
		"Ask its owner for the source, and compare what they build with the release's digest.", registry.ErrNoSource),
	entry("bad-module", http.StatusUnprocessableEntity, "The module is not valid",
		"The bytes are no WebAssembly module: another kind of file, cut off, or damaged.",
		"Do what the detail says. If it names a place in the module, build it again, and check that the upload is the file that the compiler wrote.", registry.ErrBadModule).
		commands("agora inspect app.wasm"),
	entry("module-too-heavy", http.StatusUnprocessableEntity, "The module is more than is taken in",
		"The module has more of something than a node reads or compiles, so that no upload delays others.",
		"The detail names the number, the bound and what makes so much of it: change that in the build.", registry.ErrTooHeavy).
		commands("agora inspect app.wasm"),
	entry("module-feature", http.StatusUnprocessableEntity, "The module uses a feature of WebAssembly that is not run here",
		"Agora runs WebAssembly 2.0 (with SIMD). Later proposals, which some compilers turn on, are not run.",
		"Turn the feature off in the build, with the flag that the detail names for your compiler.", registry.ErrFeature).
		commands("agora inspect app.wasm"),
	entry("unsupported-module", http.StatusUnprocessableEntity, "The module speaks an interface that is not known here",
		"Agora runs modules of interface abi/v1 and WASI preview-1 commands. Components, and modules that import anything else, are not run.",
		"Build for wasip1 as a command, or with one of Agora's SDKs; the detail says what is in the way.", registry.ErrUnsupportedModule).
		commands("GOOS=wasip1 GOARCH=wasm go build -o app.wasm .", "GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o app.wasm ."),
	entry("app-cannot-start", http.StatusUnprocessableEntity, "The app cannot start",
		"Before a release serves, it is started once. This one failed by itself, as it would in each call.",
		"Mend what the detail says. An app of the Go SDK is built with -buildmode=c-shared.", registry.ErrCannotStart).
		commands("GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o app.wasm ."),
	entry("bad-static-files", http.StatusUnprocessableEntity, "The static files are not valid",
		"The files that the manifest speaks of are not in the module, or not as they have to be.",
		"Correct what the detail names; agora deploy packs the directory that the manifest names.", static.ErrBadArchive).
		commands("agora deploy"),
	entry("bad-host-name", http.StatusUnprocessableEntity, "The host name is not valid",
		"An app can have a DNS name that is neither the console's nor below the apps' domain.",
		"Correct what the detail names.", registry.ErrBadHost).
		commands("agora domains create expenses.example.com <app>"),
	entry("no-such-domain", http.StatusNotFound, "No app has this host name",
		"It was not given to an app, or was taken away.",
		"List the host names; an operator finds them in the console's settings, too.", registry.ErrNoHost).
		commands("agora domains list"),
	entry("unsigned", http.StatusUnprocessableEntity, "The module is not signed",
		"Nothing unsigned runs here, and there is no switch that changes this.",
		"Sign the module, and upload it with its signature.", registry.ErrUnsigned).
		commands("agora sign app.wasm", "agora deploy"),
	entry("bad-signature", http.StatusUnprocessableEntity, "The signature does not match",
		"The signature was made for other bytes, or is damaged.",
		"Sign exactly the file that you upload.", registry.ErrBadSignature).
		commands("agora sign app.wasm", "agora verify app.wasm"),
	entry("untrusted-signer", http.StatusForbidden, "The signer is not trusted here",
		"The signature is whole, but neither this node's authority nor a registered key vouches for who made it.",
		"Sign as yourself on this node, or register the public key first.", registry.ErrUntrusted).
		commands("agora sign app.wasm", "agora keys create --key cosign.key"),
	entry("bad-key", http.StatusUnprocessableEntity, "The key is not valid",
		"A public key is a PEM file with an ECDSA P-256 or Ed25519 key.",
		"Register the public half of a key pair.", registry.ErrBadKey).
		commands("agora keys generate"),
	entry("key-not-proven", http.StatusUnprocessableEntity, "The key is not proven",
		"A public key can be read by anyone. It signs for you once its private half has signed a text that this node gives for you; it does so for whoever adds it, operators too.",
		"Let the CLI prove it, or sign the text of `agora keys challenge` with cosign within an hour.", registry.ErrUnproven).
		commands("agora keys create --key cosign.key", "agora keys challenge > challenge.txt", "cosign sign-blob --key cosign.key --bundle proof.json challenge.txt", "agora keys create cosign.pub --challenge challenge.txt --proof proof.json"),
	entry("policy-denied", http.StatusUnprocessableEntity, "The rules refuse this release",
		"Your organisation's rules do not let it in as it is. Each finding says what is wrong and how to fix it.",
		"Fix what the findings name and try again.", registry.ErrRefused).
		commands("agora policy check agora.toml app.wasm"),
	entry("too-large", http.StatusRequestEntityTooLarge, "The upload is too large",
		"An upload is bounded, so that one cannot fill the node.",
		"Make it smaller: strip debug sections, or build with -ldflags=-s -w.", registry.ErrTooLarge),
	entry("name-taken", http.StatusConflict, "The name is another person's",
		"A name leads to one person for ever, also after they were given another: signatures, certificates and the audit log name people by it.",
		"Choose a name that no person has or had.", access.ErrNameTaken).
		commands("agora users list"),
	entry("group-exists", http.StatusConflict, "Another group has that name",
		"Groups that are made here have names of their own, letter case aside, and so have the groups of one provider.",
		"Choose another name, or put the people into the group that is there.", access.ErrGroupTaken).
		commands("agora groups list"),
	entry("provisioning-conflict", http.StatusConflict, "The provider's person meets another",
		"A provider tells of a person whose name, or whose key at the provider, is another's here. No person is found by a name or a mail address, because those move: an operator says who it is.",
		"Look at the conflict, and link the provider's person to the one who is here, or rename the one who is here.", access.ErrProvisionedTwice).
		commands("agora provisioning show <provider>", "agora provisioning link <provider> <user-name> you@example.com"),
	entry("bad-provisioning", http.StatusUnprocessableEntity, "What is provisioned is not valid",
		"A provider's name is 1 to 31 of a-z, 0-9 and -; a person's user name leads to a mail address in a-z, or to a name at the provider.",
		"Correct what the detail names, at the provider or in the file.", access.ErrProvisioning),
	entry("no-such-provisioning", http.StatusNotFound, "Nothing provisions under that name",
		"A provider is known once an operator made a token for it.",
		"List the providers, or make a token.", access.ErrNoProvisioning).
		commands("agora provisioning list", "agora provisioning tokens create <provider>"),
	entry("not-provisioned", http.StatusNotFound, "The provider tells of no such person",
		"The provider has not made this person here, or has deleted them.",
		"Check the id or the user name.", access.ErrNotProvisioned).
		commands("agora provisioning show <provider>"),
	entry("bad-people-file", http.StatusUnprocessableEntity, "The file of people cannot be read",
		"A file is CSV in UTF-8 with a line of column names, of which one is user_name or email, or a JSON list of objects.",
		"Correct what the detail names, and look at the preview again.", control.ErrBadFile).
		commands("agora people import people.csv"),
	entry("search-too-large", http.StatusBadRequest, "The search looks at too much",
		"Some searches look at one record after the other, and at no more than a bound of them.",
		"Search by an id, a user name or an external id.", control.ErrTooMany),
	entry("group-in-use", http.StatusConflict, "The group owns apps",
		"Apps that a group owns would be left with their owner alone.",
		"Say of each app who owns it, and delete the group then.", access.ErrGroupInUse).
		commands("agora apps set APP --group ''"),
	entry("group-of-provider", http.StatusConflict, "A provider keeps the group",
		"The sign-in provider or its provisioning says who is in this group. What is changed here by hand would be undone at the next sign-in.",
		"Change the group at the provider, or make a group here.", access.ErrGroupTold).
		commands("agora groups create NAME"),
	entry("bad-question", http.StatusUnprocessableEntity, "The question names no act and what it is about",
		"A question is about an act, and that about an app, a request, a person, a group or the node.",
		"Name the act, and what the detail says as on.", access.ErrBadQuestion).
		commands("agora access why you@example.com publish APP"),
	entry("bad-group", http.StatusUnprocessableEntity, "The group is not valid",
		"A group's name is a text of up to 200 bytes that people can read, and does not begin with g_.",
		"Correct what the detail names.", access.ErrBadGroup),
	entry("not-owner", http.StatusForbidden, "The app belongs to another person",
		"Only an app's owner signs its releases; only the owner or an operator changes it.",
		"Sign and upload as the owner, or choose another name for your app.", registry.ErrNotOwner, access.ErrNotOwner),
	entry("no-active-release", http.StatusNotFound, "The app serves nothing yet",
		"The app exists, and no release of it is active at this address.",
		"Wait for the review that its release needs, or activate a release.", registry.ErrNotActive).
		commands("agora releases list <app>", "agora requests list"),
	entry("app-suspended", http.StatusServiceUnavailable, "The app is suspended",
		"The app was stopped on purpose. It serves nothing, and nothing calls it, until it is resumed; nothing that it keeps is lost.",
		"Ask whom the message names. Who suspended it, or an operator, resumes it.", registry.ErrSuspended).
		commands("agora apps show <app>", "agora apps resume <app>").causedByClients().toAll(),
	entry("app-quarantined", http.StatusServiceUnavailable, "The app was stopped to protect the people who use it",
		"Something is wrong with the app: it may be open to attack, or have been misused. It serves nothing and nothing calls it until those who look into it end its quarantine; nothing that it keeps is lost.",
		"Ask whom the message names. Its owner uploads what mends it; who quarantined it, or an authority above, ends that.", registry.ErrQuarantined).
		commands("agora apps show <app>", "agora apps unquarantine <app>").causedByClients().toAll(),
	entry("app-deleting", http.StatusServiceUnavailable, "The app is being deleted",
		"The app was stopped, and will be removed with all that it keeps when its wait is over. Until then that can be undone.",
		"Ask the owner of the app. The owner, or an operator, can undo the deletion.", registry.ErrDeleting).
		commands("agora apps show <app>", "agora apps undelete <app>").causedByClients().toAll(),
	entry("app-removed", http.StatusGone, "The app was removed",
		"The app was deleted, and what it kept is gone. Its name is not given to another app, so that no link leads to a stranger.",
		"Remove links that lead here. Publish under another name; what was removed is in a certificate.", registry.ErrRemoved).
		commands("agora certificates list --app <app>").toAll(),
	entry("app-state", http.StatusConflict, "The app's state does not allow that",
		"An app is active, in maintenance, suspended, quarantined, being deleted or removed, and each state allows some acts only.",
		"Look at the app's state; the detail says what is in the way.", registry.ErrState, access.ErrNotNow).
		commands("agora apps show <app>"),
	entry("suspension-held", http.StatusForbidden, "Others suspended the app",
		"A suspension is ended by whoever's authority made it: a reviewer's by a reviewer who does not own the app, an operator's by an operator.",
		"Talk to who suspended it: the app's page names them.", registry.ErrHeld).
		commands("agora apps show <app>"),
	entry("maintenance-invalid", http.StatusUnprocessableEntity, "Maintenance cannot be declared like that",
		"The end of maintenance lies in the future, and an app is followed by another one.",
		"Correct what the detail names.", registry.ErrBadMaintenance).
		commands("agora apps maintain <app> --until 2030-01-31 --successor <other app>"),
	entry("not-guard", http.StatusForbidden, "A quarantine is not yours to set or end",
		"An app is quarantined by a reviewer of security or an operator. That is ended by the authority that set it, or one above, and by no one who owns the app.",
		"Talk to who quarantined it: the app's page names them. Owners upload a release that mends what is wrong.", registry.ErrNotGuard).
		commands("agora apps show <app>"),
	entry("not-offered", http.StatusForbidden, "The app is not offered to you",
		"An app is taken over by the one person to whom its owner offers it, and only as long as the offer stands.",
		"Ask the owner to offer it to you or, if the owner left, an operator to hand it over.", registry.ErrNotOffered, access.ErrNotOffered).
		commands("agora apps show <app>"),
	entry("bad-owner", http.StatusUnprocessableEntity, "An app cannot be handed to that person",
		"The owner of an app signs and uploads its releases, for which a user needs the role developer.",
		"Choose another person, or let an operator give them the role.", registry.ErrBadOwner).
		commands("agora users set <name> --add-role developer"),
	entry("bad-text", http.StatusUnprocessableEntity, "The text is not valid",
		"Reasons and titles are short texts that others will read.",
		"Correct what the detail names.", registry.ErrBadText),
	entry("no-earlier-release", http.StatusConflict, "There is nothing to roll back to",
		"No other release was active in that tier before.",
		"Activate a release by its number instead.", registry.ErrNoPrevious).
		commands("agora releases list <app>"),
	entry("not-approved", http.StatusConflict, "The release is not approved for that tier",
		"A release serves a tier once it has what it needs there: grants in the sandbox, a reviewer's approval above.",
		"Ask for the promotion or the grant, and let a reviewer decide.", registry.ErrNotApproved).
		commands("agora releases ask <app> <number>", "agora releases promote <app> <number> --to pilot"),
	entry("release-in-use", http.StatusConflict, "The release is in use",
		"A release that serves a tier, or that an open request or a live grant names, is not deleted.",
		"Let the tier serve another release, or decide or withdraw the request first.", registry.ErrInUse).
		commands("agora releases list <app>", "agora requests list"),
	entry("quota", http.StatusConflict, "The quota is used up",
		"Each person, each group, each app and the node as a whole have as much as an operator said of what is kept: apps, releases, bytes of modules, open requests, tokens and keys.",
		"Delete what is not needed any more, or ask an operator for more.", registry.ErrQuota).
		commands("agora quotas list"),
	entry("bad-quota", http.StatusUnprocessableEntity, "The quota cannot be set",
		"A quota is set to a number, or to bytes, with a reason, and of what it is of: of one person, one group or one app, or of all of them alike.",
		"Change what the detail names. agora quotas list shows the quotas, and what each is of.", access.ErrBadQuota).
		commands("agora quotas list", "agora quotas set <quota> <limit> --user <person> --reason <why>"),
	entry("no-such-quota", http.StatusNotFound, "There is no such quota",
		"Nothing is bounded under that name, or no operator set that quota of that person, group or app, so that there is nothing to take back.",
		"See which quotas there are, and which of them were set.", access.ErrNoQuota, access.ErrNoQuotaSetting).
		commands("agora quotas list", "agora quotas settings"),
	entry("disk-reserve", http.StatusInsufficientStorage, "The node keeps the rest of its disk",
		"The node's disk is nearly full. What is left is kept for the apps that run and for recording their usage, so nothing new is taken in. Apps go on, and nothing is lost.",
		"Tell the people who run the node: make room on its disk. Deleting releases that are not needed helps, too.", storage.ErrReserve).
		commands("agora releases delete <app> <number>", "agora doctor").causedByClients(),
	entry("exists", http.StatusConflict, "It already exists",
		"What you want to make is there, and is not replaced.",
		"Choose another name, or look at what is there.", registry.ErrExists),
	entry("not-writable", http.StatusInsufficientStorage, "The node cannot store anything",
		"Its disk is full, or takes no writes for another reason. Nothing happened; what was stored before is there, and can be read.",
		"Tell the people who run the node: make room on its disk. It stores again as soon as there is some.", storage.ErrUnwritable).
		commands("agora doctor"),
	entry("data-corrupted", http.StatusInternalServerError, "Something stored is damaged",
		"Stored bytes do not match their checksum. They are not used.",
		"Tell the people who run the node: it has to be restored from a backup, or the release uploaded again.", storage.ErrCorrupt).
		commands("agora doctor"),

	entry("no-such-secret", http.StatusNotFound, "There is no such secret",
		"The app has no secret of this name.",
		"List the app's secrets, or set this one; they also stand on the app's page.", secrets.ErrNotFound).
		commands("agora secrets list <app>", "agora secrets set <app> <name>"),
	entry("bad-secret", http.StatusUnprocessableEntity, "The secret cannot be kept",
		"A secret has a name of lower-case letters, digits and hyphens, and a value of 1 to 16384 bytes.",
		"Correct what the detail names.", secrets.ErrBadSecret),
	entry("secret-unreadable", http.StatusInternalServerError, "The secret cannot be opened",
		"The key that it is sealed with is gone, or the record is damaged. Its value cannot be read.",
		"Let the people who run the node restore its file secret.keys, or set the secret again.", secrets.ErrSealed).
		commands("agora doctor", "agora secrets set <app> <name>"),

	entry("already-decided", http.StatusConflict, "It is decided already",
		"A request is decided once.",
		"Look at the decision. Its owner can ask again.", approvals.ErrAlreadyDecided).
		commands("agora requests show <id>"),
	entry("self-review", http.StatusForbidden, "Another reviewer must decide this",
		"Reviewers do not decide about their own apps or requests.",
		"Ask another reviewer.", approvals.ErrSelfReview, access.ErrOwnRequest),
	entry("already-voted", http.StatusConflict, "You have voted already",
		"A request that takes the votes of several people takes them of different ones: each counts once, over all stages and however often it is sent.",
		"Wait for the others. If you have changed your mind, reject the request.", approvals.ErrAlreadyVoted).
		commands("agora requests show <id>"),
	entry("no-vote", http.StatusForbidden, "You have no vote about it",
		"The policy says whose votes a request takes: those of people, as reviewers of what its stages name, each stage when it is its turn.",
		"Look whom the request waits for. An operator gives roles.", approvals.ErrNoVote).
		commands("agora requests show <id>"),
	entry("requesters-turn", http.StatusConflict, "It waits for its requester",
		"A reviewer asked for changes, and the requester has not answered. Until then nothing is approved, or the answer would come after the decision; who asked may approve, if they alone did, and any reviewer may reject.",
		"Wait for the answer, or ask the reviewer who asked for changes whether they are needed.", approvals.ErrRequestersTurn).
		commands("agora requests show <id>"),
	entry("no-changes-asked", http.StatusConflict, "No changes were asked for",
		"No reviewer waits for an answer: the request waits for them.",
		"Write a comment, if there is something to say.", approvals.ErrNothingAsked).
		commands("agora requests comment <id> <text>"),
	entry("thread-full", http.StatusConflict, "There is no room for another comment",
		"A request has at most 100 comments, and changes are asked for at most 20 times.",
		"Decide about the request, or withdraw it and ask again.", approvals.ErrThreadFull).
		commands("agora requests show <id>"),
	entry("no-comment", http.StatusUnprocessableEntity, "The comment is empty",
		"A comment says something.",
		"Write it, and send it again.", approvals.ErrNoComment),
	entry("not-your-request", http.StatusForbidden, "It is not your request",
		"Only who asked, or the app's owner, takes a request back.",
		"Ask the requester, or let a reviewer reject it.", approvals.ErrNotYours),
	entry("not-exemptable", http.StatusUnprocessableEntity, "Nobody is exempted from that rule",
		"The policy names the rules from which an app can be exempted for a time, in exemptions of its data.json; none of those that keep data and people safe is there by default.",
		"Do what the rule asks for. The detail lists the rules from which apps can be exempted.", approvals.ErrNotExemptable).
		commands("agora policy show"),
	entry("no-exemption", http.StatusConflict, "That is no exemption that holds",
		"The request asks for something else, is not approved, has ended, or was revoked.",
		"List the exemptions that hold.", approvals.ErrNoExemption).
		commands("agora exemptions list"),
	entry("reason-missing", http.StatusUnprocessableEntity, "A reason is needed",
		"Others will read later why this was done.",
		"Go back, and give a reason.", approvals.ErrReasonMissing),
	entry("request-changed", http.StatusConflict, "The request changed while you looked",
		"A decision holds for what its reviewer saw. What is asked for now is about another release, or needs more.",
		"Look at the request that the detail names, and decide about that.", approvals.ErrChanged).
		commands("agora requests list"),
	entry("nothing-to-ask", http.StatusConflict, "There is nothing to ask for",
		"The release has every grant that it needs in the sandbox.",
		"Activate it, or ask for its promotion.", approvals.ErrNothingToAsk).
		commands("agora releases activate <app> <number>"),
	entry("already-requested", http.StatusConflict, "It is asked for already",
		"The same thing waits for a decision.",
		"Wait for the decision, or remind a reviewer.", approvals.ErrAlreadyRequested).
		commands("agora requests list"),
	entry("bad-approval-request", http.StatusUnprocessableEntity, "That cannot be asked for",
		"No reviewer could allow this.",
		"Correct what the detail names.", approvals.ErrBadRequest),
	entry("nothing-to-shrink", http.StatusConflict, "There is nothing to take off",
		"The grant allows no more than what was used, or holds no more.",
		"Leave it, or revoke it if the app does not need it.", approvals.ErrNothingToShrink).
		commands("agora grants list"),
	entry("grant-ended", http.StatusConflict, "The grant has ended",
		"A grant that was revoked, or whose time is over, allows nothing, and nobody's word brings it back.",
		"Ask for it anew; a reviewer decides.", approvals.ErrGrantEnded).
		commands("agora grants renew <id>"),
	entry("nothing-to-certify", http.StatusConflict, "There is nothing to certify",
		"Where the rules of a tier say so, a grant ends unless a reviewer certifies it. This one has no end, or was given until a day that a certificate cannot move.",
		"Leave it, or have its app's owner ask for it anew before its end.", approvals.ErrNothingToCertify).
		commands("agora grants show <id>"),
	entry("emergency-off", http.StatusForbidden, "The rules allow nothing before its review",
		"A capability is allowed before its review only where the rules of the tier say for how many hours, in grants.emergency_hours. They say 0.",
		"Ask a reviewer; every request is told to them at once.", approvals.ErrEmergencyOff).
		commands("agora releases ask <app> <number>", "agora policy tiers"),
	entry("emergency-open", http.StatusConflict, "An emergency of the app waits for its review",
		"What was allowed before its review is reviewed before the same capability is allowed so again; while such a review of the app is overdue, none is.",
		"Have a reviewer decide about that request.", approvals.ErrEmergencyOpen).
		commands("agora requests list --app <app> --status open"),
	entry("emergency-rejected", http.StatusForbidden, "The last emergency was not approved",
		"The review of the last emergency with this capability was rejected or taken back within the last thirty days.",
		"Ask a reviewer, or have an operator who did not ask for that one break the glass.", approvals.ErrEmergencyRejected).
		commands("agora releases ask <app> <number>"),
	entry("policy-error", http.StatusInternalServerError, "The rules could not be asked",
		"The rules returned no result, so nothing was allowed.",
		"Tell whoever keeps the rules; the node's log says which rule failed.", approvals.ErrPolicy).
		commands("agora policy show"),

	entry("trigger-running", http.StatusConflict, "The trigger is running",
		"Runs of one cron trigger do not overlap.",
		"Wait until the run that is under way has ended.", triggers.ErrRunning).
		commands("agora triggers list <app>"),
	entry("trigger-paused", http.StatusConflict, "The trigger is paused",
		"A person paused it, so it does not call the app.",
		"Resume it if the reason for that is gone.", triggers.ErrPaused).
		commands("agora triggers list <app>", "agora triggers resume <app> cron <name>"),
	entry("triggers-held", http.StatusConflict, "Triggers are paused on this node",
		"The node was started with --pause-triggers: it delivers nothing, and what is due waits.",
		"Pause the trigger that does harm, if there is one, and restart the node without the flag.", triggers.ErrHeld).
		commands("agora triggers pause <app> <kind> <name>", "agora serve"),
	entry("no-such-dead-letter", http.StatusNotFound, "There is no such dead letter",
		"The dead letter was delivered or dropped meanwhile, or its number is another.",
		"List the app's dead letters; they also stand on its page.", triggers.ErrNoDeadLetter).
		commands("agora dead-letters list <app>"),
	entry("no-such-trigger", http.StatusNotFound, "There is no such trigger",
		"The release that serves has no trigger of this kind and name.",
		"List the app's triggers; they also stand on its page.", triggers.ErrNoTrigger, triggers.ErrNotFound).
		commands("agora triggers list <app>"),
	entry("webhook-refused", http.StatusUnauthorized, "The webhook is refused",
		"The request does not prove that it comes from the service that this address is for.",
		"Sign it with the secret that was agreed; the log of the app says what is wrong.", webhook.ErrRefused).
		commands("agora logs <app>", "agora secrets set <app> <name>"),
	entry("backlog-full", http.StatusServiceUnavailable, "Too many events wait",
		"The app has caused as many deliveries as may wait at once, or used as many keys as are remembered.",
		"Try again later; see what its subscribers do not take.", triggers.ErrBacklog).
		commands("agora triggers list <app>", "agora dead-letters list <app>"),

	entry("bad-usage-query", http.StatusUnprocessableEntity, "The usage query is not valid",
		"No report can be made for this span or grouping.",
		"Correct what the detail names.", metering.ErrBadQuery).
		commands("agora usage --by app,day --since 7d"),
	entry("unmetered", http.StatusServiceUnavailable, "Usage cannot be recorded",
		"The node cannot write its journal, so it serves no apps: it does no work that it could not account for.",
		"Tell the people who run the node: make room on its disk, or see to the disk. The node serves again by itself.", metering.ErrUnmetered).
		commands("agora doctor"),

	entry("app-trapped", http.StatusBadGateway, "The app failed",
		"The app ran into an error of its own and stopped.",
		"Tell the app's owner; its log has the details.", abi.ErrTrap).
		commands("agora logs <app>"),
	entry("app-exit-status", http.StatusBadGateway, "The app ended with an error",
		"The app's program ended with a status other than 0.",
		"Tell the app's owner; its log has the details.", abi.ErrExitStatus).
		commands("agora logs <app>"),
	entry("fuel-exhausted", http.StatusBadGateway, "The app used up its instruction limit",
		"The app did more work for this request than its manifest allows.",
		"Raise limits.fuel in the manifest, as far as the tier allows, or make the app do less.", abi.ErrFuelExhausted).
		commands("agora logs <app>"),
	entry("app-memory", http.StatusBadGateway, "The app needs more memory than its limit",
		"The app wanted more memory than its manifest allows.",
		"Raise limits.memory in the manifest, as far as the tier allows.", abi.ErrMemoryExhausted).
		commands("agora logs <app>"),
	entry("app-stack", http.StatusBadGateway, "The app called functions too deeply",
		"The app recursed beyond what any app may, usually without end.",
		"Look for a function that calls itself for ever.", abi.ErrStackExhausted).
		commands("agora logs <app>"),
	entry("app-host-calls", http.StatusBadGateway, "The app called its capabilities too often",
		"One request may make 100,000 calls of capabilities.",
		"Let the app fetch less, or spread its work over several requests.", abi.ErrTooManyCalls).
		commands("agora logs <app>"),
	entry("app-deadline", http.StatusGatewayTimeout, "The app took too long",
		"The app did not respond within the time that its manifest allows.",
		"Try again; the owner can raise limits.timeout, as far as the tier allows.", abi.ErrDeadlineExceeded).
		commands("agora logs <app>"),
	entry("app-host-time", http.StatusGatewayTimeout, "The app waited too long",
		"What the app asked of the node took longer, together, than its manifest allows.",
		"Try again; the owner can raise limits.host_time, as far as limits.timeout.", abi.ErrHostTimeExceeded).
		commands("agora logs <app>"),
	entry("app-bad-response", http.StatusBadGateway, "The app's response is malformed",
		"What the app returned is not an HTTP response.",
		"Tell the app's owner; its log says what is malformed.", abi.ErrBadResponse).
		commands("agora logs <app>"),
	entry("app-response-too-large", http.StatusBadGateway, "The app's response is too large",
		"The app returned more bytes than its manifest allows.",
		"Raise limits.response_body in the manifest, or return less.", abi.ErrResponseTooLarge).
		commands("agora logs <app>"),
	entry("request-too-large", http.StatusRequestEntityTooLarge, "The request is too large for this app",
		"The app takes smaller requests than this one.",
		"Send less; the owner can raise limits.request_body.", abi.ErrRequestTooLarge),
	entry("app-busy", http.StatusServiceUnavailable, "The app is busy",
		"The app serves as many requests as it may at once.",
		"Try again in a moment; the owner can raise limits.concurrency.", abi.ErrBusy, triggers.ErrLater),
	entry("fuel-spent", http.StatusTooManyRequests, "The fuel of the day is used up",
		"What the apps of one person, of one group or of the node may run in a day is bounded, and today's is used up. The day begins anew at 00:00 UTC.",
		"Come back then. The app's owner sees what ran; an operator can raise the quota.", metering.ErrSpent).
		commands("agora quotas list", "agora usage --by app", "agora quotas set fuel-a-day <limit> --user <person> --reason <why>"),
	entry("called-too-often", http.StatusTooManyRequests, "The app is called too often",
		"How many calls the apps of one person, of one group or of the node get in a second is bounded, and there were more just now. What is beyond that is not served; a second's worth may come at once.",
		"Come back after the seconds that Retry-After says. The app's owner sees in its log which quota it was, and asks an operator, who can raise it.", rate.ErrExceeded).
		commands("agora quotas list", "agora usage --by app", "agora quotas set requests-a-second <limit> --user <person> --reason <why>"),
	entry("memory-quota", http.StatusTooManyRequests, "The memory that a quota allows is used up",
		"What the calls of all apps of one person or of one group hold of memory at once is bounded, and they hold that much. A call waits a second for others to end, and is then not served; one that runs and needs more ends.",
		"Try again in a moment. The app's owner sees in its log which quota it was, lowers limits.memory or limits.concurrency of apps that take much, or asks an operator, who can raise it.", abi.ErrMemoryQuota).
		commands("agora quotas list", "agora quotas set memory <size> --user <person> --reason <why>"),
	entry("node-busy", http.StatusServiceUnavailable, "The node is busy",
		"Other apps use all memory or processors that the node has for apps.",
		"Try again in a moment. If it goes on, the node's operator finds in `agora doctor` which budget is used up.", abi.ErrNodeBusy).
		commands("agora doctor"),
	entry("app-not-granted", http.StatusBadGateway, "The app lacks a grant",
		"The app needs a capability that is not granted, or whose grant has ended.",
		"The owner asks for it again, from the release's page or the command line; a reviewer decides.", abi.ErrNotGranted).
		commands("agora releases ask <app> <number>", "agora requests list"),
	entry("client-closed-request", http.StatusServiceUnavailable, "The request ended early",
		"The caller went away, or the node is stopping.",
		"Try again.", abi.ErrCanceled, context.Canceled, context.DeadlineExceeded),

	entry("no-such-call", http.StatusNotFound, "No call of this id is kept",
		"Calls that failed or were refused are noted in their app's log, and kept as long as its lines; of others only some are kept. The calls of an app are for its owner, reviewers and operators.",
		"Check that the id is whole: it has 24 characters. The page Calls in the console finds it, too; the app's log and its usage have more.", control.ErrNoSuchCall).
		commands("agora logs <app>", "agora usage --app <app>"),
	entry("no-such-release", http.StatusNotFound, "There is no such release",
		"The app has no release of this number, or it was deleted.",
		"List the app's releases; they also stand on its page.", registry.ErrNoRelease).
		commands("agora releases list <app>"),
	entry("no-such-key", http.StatusNotFound, "There is no such key",
		"No key of this kind is registered, or it was removed.",
		"List the keys; they also stand in the console's settings.", registry.ErrNoKey).
		commands("agora keys list"),
	entry("no-such-request", http.StatusNotFound, "There is no such request",
		"No request has this id.",
		"List the requests; they also stand on the console's page Requests.", approvals.ErrNoRequest).
		commands("agora requests list"),
	entry("no-such-grant", http.StatusNotFound, "There is no such grant",
		"No grant has this id.",
		"List the grants; they also stand on the console's page Grants.", approvals.ErrNoGrant).
		commands("agora grants list"),
	entry("no-such-user", http.StatusNotFound, "There is no such user",
		"No user has this mail address.",
		"List the users; an operator finds them in the console's settings, too.", access.ErrNoUser).
		commands("agora users list"),
	entry("no-such-service-account", http.StatusNotFound, "There is no such service account",
		"No service account has this name, or it was deleted.",
		"List the service accounts that you answer for.", access.ErrNoServiceAccount).
		commands("agora service-accounts list"),
	entry("no-such-group", http.StatusNotFound, "There is no such group",
		"No group has this id, and none that is made here has this name.",
		"List the groups.", access.ErrNoGroup).
		commands("agora groups list"),
	entry("no-such-notice", http.StatusNotFound, "There is no such notice",
		"You have no notice of this id; notices are kept for 90 days.",
		"List your notices.", notices.ErrNoNotice).
		commands("agora notices list"),
	entry("bad-notice-settings", http.StatusUnprocessableEntity, "Notices cannot be sent like that",
		"Mail comes at once, daily or not at all; times are such as 08:00, and zones such as Europe/Berlin.",
		"Correct what the detail names.", notices.ErrBadSettings).
		commands("agora notices choose --mail daily --daily 08:00 --zone Europe/Berlin"),
	entry("no-member", http.StatusNotFound, "That person is not in the group",
		"Only a member of a group can be taken out of it.",
		"List who is in the group.", access.ErrNoMember).
		commands("agora groups show GROUP"),
	entry("no-such-provider", http.StatusNotFound, "There is no such sign-in provider",
		"The node has no sign-in provider of this name.",
		"Start from the page where people sign in, /sign-in.", access.ErrNoProvider),
	entry("no-such-account", http.StatusNotFound, "There is no such account",
		"The user has no account of this id at a sign-in provider, or it was disconnected.",
		"List the user's accounts; one's own also stand in the console's settings.", access.ErrNoAccount).
		commands("agora users show you@example.com"),
	entry("no-such-session", http.StatusNotFound, "There is no such session",
		"The person has no session of this id, or it has ended.",
		"List the sessions; they also stand in the console's settings.", access.ErrNoSession).
		commands("agora sessions list"),
	entry("no-such-token", http.StatusNotFound, "There is no such token",
		"You have no token of this id, or it was revoked.",
		"List your tokens; they also stand in the console's settings.", access.ErrNoToken).
		commands("agora tokens list"),
	entry("no-such-app", http.StatusNotFound, "There is no such app",
		"No app has this name.",
		"Check the spelling; the catalogue lists what is there.", registry.ErrNoApp).
		commands("agora apps list"),
	entry("not-found", http.StatusNotFound, "It does not exist",
		"There is nothing of that name here.",
		"Check the spelling; the catalogue lists the apps that are there.", registry.ErrNotFound, approvals.ErrNotFound, access.ErrNotFound).
		commands("agora apps list"),
	internal,
}
