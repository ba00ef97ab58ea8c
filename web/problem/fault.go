package problem

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/rate"
	"github.com/agora-host/agora/registry"
)

// About is the app at whose address a request failed, as its callers may know it. All but Page is
// "" for an address that is no app's.
type About struct {
	App     string // its name
	Title   string
	Owner   string // a name and no address: whoever calls an app is not known
	Team    string
	Console string // URL of the console, where those who are signed in see more
	Page    bool   // the caller wants a page, not a document for programs
}

// telling is a problem as an end user of an app is told it: without a word about manifests,
// limits and reviews, which are no affair of theirs.
type telling struct{ title, what, do string }

const (
	again    = "Try again in a moment."
	withLess = "Try again with less, such as a smaller file or a shorter period."
	notYou   = "It is not your mistake, and trying again may not help."
)

var (
	serverTrouble = telling{"The app cannot run at the moment", "The server that runs this app has a problem of its own. What was stored before is not lost.", "Try again in a few minutes."}
	crowded       = telling{"Too much is going on at the moment", "The server that runs this app is busy with other requests.", again}
	unserved      = telling{"The request was not served", "The server does not take the request as it was sent.", "Check what was sent, and try again."}
)

// tellings are the problems that a call of an app can meet, by slug.
var tellings = map[string]telling{
	"app-trapped":            {"The app failed", "The app ran into an error of its own while it worked on your request.", notYou},
	"app-exit-status":        {"The app ended with an error", "The app gave up while it worked on your request.", notYou},
	"app-stack":              {"The app failed", "The app went round in circles while it worked on your request, and was stopped.", notYou},
	"fuel-exhausted":         {"The app had too much to do", "Your request was more work than this app may do for one request, so it was stopped.", withLess},
	"app-host-calls":         {"The app had too much to do", "Your request was more work than this app may do for one request, so it was stopped.", withLess},
	"app-memory":             {"The app ran out of memory", "Your request needed more memory than this app may use, so it was stopped.", withLess},
	"app-deadline":           {"The app took too long", "The app did not finish in the time that it has for one request. What it had begun may have been done.", "Check whether it was done before you send it again."},
	"app-host-time":          {"The app waited too long", "Something that the app needs, such as another service, did not respond in time.", again},
	"app-bad-response":       {"The app's response is malformed", "The app finished, and what it returned cannot be shown.", notYou},
	"app-response-too-large": {"The app's response is too large", "The app returned more than it may send at once.", "Ask for less, such as a shorter list."},
	"app-not-granted":        {"The app cannot run at the moment", "A permission that the app needs is missing or has ended.", notYou},
	"app-busy":               {"The app is busy", "The app serves as many requests as it can at this moment.", again},
	"fuel-spent":             {"The app has done all that it may today", "What it may do in a day is used up. It runs again at 00:00 UTC.", "Come back then, or ask its owner to have it raised."},
	"called-too-often":       {"The app is asked for too much at once", "More is asked of it, and of what belongs to it, than may be in a second.", "Try again in a moment. If that happens often, tell its owner."},
	"memory-quota":           {"The app is busy", "It works on as much at once as it has memory for.", "Try again in a moment. If that happens often, tell its owner."},
	"request-too-large":      {"The request is too large for this app", "You sent more than this app takes at once.", "Send less, such as a smaller file."},
	"no-active-release":      {"The app is not available", "The app exists, and nothing is switched on at this address.", "Ask its owner when it will be."},
	"not-found":              {"There is nothing at this address", "No app has this address.", "Check the address for typing errors, or ask whoever gave it to you."},
	"client-closed-request":  {"The request ended early", "The connection was given up, or the server is being restarted.", again},
	"webhook-refused":        {"The webhook is refused", "The request does not prove that it comes from the service that this address is for.", "Sign it with the secret that was agreed with the app's owner."},
	"app-suspended":          {"The app is suspended", "It was stopped on purpose, and serves nothing until it is resumed.", "Ask whom the message names, or its owner."},
	"app-quarantined":        {"The app was stopped for your protection", "Something may be wrong with it, and it serves nothing until that is looked into.", "Ask whom the message names. Do not try to use it in another way."},
	"app-deleting":           {"The app is being deleted", "It was stopped, and will be removed when a wait is over.", "Ask the owner of the app, if you still need it."},
	"app-removed":            {"The app was removed", "It was deleted, and what it kept is gone. Its address is not given to another app.", "Remove links that lead here."},
	"backlog-full":           crowded, "node-busy": crowded, "node-crowded": crowded, "no-place": crowded,
	"access-unseen":      {"The app cannot be opened at the moment", "The server cannot see who may open this app, so it lets no one in.", again},
	"app-sign-in":        {"Sign in to open this app", "The app is not open to everybody. Nothing was sent to it.", "Open the app in a window of the browser, sign in, and do it again."},
	"not-admitted":       {"This app is not open to you", "The owner has not opened it to you.", "Ask the owner for access."},
	"cross-site":         {"Another site asked for this", "A page of another site may not act for you here. Nothing was sent to the app.", "Open the app itself, and do it there."},
	"no-service-worker":  {"The app has no service workers", "A service worker would answer for the app after you have signed out.", "The app works without."},
	"token-not-for-apps": {"The token is not for apps", "A token of the platform was sent to an app. It was not passed on.", "Send a token that opens this app alone."},
	"misdirected":        {"The address is written otherwise", "This app is served at one spelling of its address.", "Use the address as the catalogue has it."},
	"no-sign-in-kept":    {"No sign-in is kept at this address", "The app takes a sign-in, and is reached by plain http.", "Tell the people who run this site that people have to come by https."},
	"too-many-at-once":   {"You do too much at once", "Everyone has a share of what the server does at once.", "Let what is running end, and try again."},
	"method-not-allowed": {"This address does not take that method", "The address exists, but not for this HTTP method.", "Use a method that the Allow header lists."},
	"bad-body":           {"The request cannot be read", "What was sent is malformed, or the connection ended before all of it had arrived.", "Send it again, whole."},
	"body-too-slow":      {"The request arrives too slowly", "What you send made no progress, so the server gave it up.", "Send it again over a better connection."},
	"too-many-headers":   {"The request has too many headers", "A request has at most 128 header fields.", "Send fewer; cookies that have piled up can be deleted in the browser."},
	"bad-protocol":       {"This version of HTTP is not spoken here", "The server speaks HTTP/1.1.", "Use HTTP/1.1."},
}

// told returns how an end user is told a kind of problem.
func (e Entry) told() telling {
	if t, ok := tellings[e.Slug]; ok {
		return t
	}
	if e.Status == http.StatusNotFound {
		return tellings["not-found"]
	}
	if e.Status < 500 {
		return unserved
	}
	return serverTrouble
}

// Slug is the word for an error's kind.
func Slug(err error) string { return of(err).Slug }

// Named is a kind of problem by its slug, as it concerns an app's maker.
func Named(slug, app string) abi.Problem {
	e := internal
	if i := slices.IndexFunc(table, func(e Entry) bool { return e.Slug == slug }); i >= 0 {
		e = table[i]
	}
	p := abi.Problem{Type: "/problems/" + e.Slug, Title: e.Title, Status: e.Status, Detail: e.Meaning, Remedy: e.Remedy}
	p.Remedy.Docs, p.Remedy.Commands = p.Type, slices.Clone(p.Remedy.Commands)
	for i, line := range p.Remedy.Commands {
		p.Remedy.Commands[i] = strings.ReplaceAll(line, "<app>", app)
	}
	return p
}

// faultView is what the page of a fault shows.
type faultView struct {
	abi.Problem
	Name    string // of the app, for people
	Console string
}

// WriteFault sends an end user the response to a request that an app could not serve. It says what
// happened, whose app it is, whom to ask, and the id under which its owner finds the call, and
// nothing that only the owner may know. The id is the one in the response's header.
func WriteFault(w http.ResponseWriter, about About, err error) {
	e := of(err)
	t := e.told()
	if e.forAll {
		t.what = err.Error()
		if stopped, ok := errors.AsType[*registry.StoppedError](err); ok {
			t.what = stopped.Error()
		}
		if e.Status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "3600") // people end it, and not in a moment
		}
	}
	retryWhen(w, err)
	p := abi.Problem{
		// The page that explains the kind is the maker's, on the console's origin.
		Type: "about:blank", Title: t.title, Status: e.Status, Detail: t.what, Remedy: abi.Remedy{Summary: t.do},
		Invocation: w.Header().Get(invocationHeader), App: about.App, Owner: about.Owner, Team: about.Team,
	}
	if about.Page {
		name := about.Title
		if name == "" {
			name = about.App
		}
		retryLater(w, p.Status)
		page(w, p.Status, "fault", faultView{p, name, about.Console})
		return
	}
	if about.App != "" {
		p.Remedy.Summary += " If it persists, tell the app's owner " + about.whom() + ", and name the call " + p.Invocation + "."
	}
	write(w, p)
}

// whom names the owner: "ada (team Finance)".
func (a About) whom() string {
	if a.Team == "" {
		return a.Owner
	}
	return a.Owner + " (team " + a.Team + ")"
}

// retryWhen says when to come back, of an error that knows it.
func retryWhen(w http.ResponseWriter, err error) {
	var wait time.Duration
	if spent, ok := errors.AsType[*metering.SpentError](err); ok {
		wait = time.Until(spent.Until) + time.Second
	}
	if often, ok := errors.AsType[*rate.Error](err); ok {
		wait = often.Wait + time.Second - 1
	}
	if wait != 0 {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(wait.Seconds()))))
	}
}

// retryLater says when to come back, where that helps.
func retryLater(w http.ResponseWriter, status int) {
	again := status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests
	if again && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "1")
	}
}
