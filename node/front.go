package node

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/host"
	"github.com/agora-host/agora/host/gate"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/internal/door"
	"github.com/agora-host/agora/javascript"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/triggers/webhook"
	"github.com/agora-host/agora/web/api"
	"github.com/agora-host/agora/web/console"
	"github.com/agora-host/agora/web/problem"
	"github.com/agora-host/agora/web/scim"
)

// front is what the front door serves: the console's origin, and the apps'.
type front struct {
	origins   origins
	maxModule int64
	log       *slog.Logger
	watch     *calm.Watch
	meter     *metering.Meter
	host      *host.Host
	metrics   *metrics
}

// handler joins the two origins. What is neither the console's host nor an
// app's is refused by the gateway.
func (f *front) handler(n *Node) (http.Handler, error) {
	pages, err := console.New(consoleServices(n), console.Options{
		SessionLife: n.o.Sessions.Longest, FreshSignIn: n.signIn.fresh(n.o.FreshSignIn), Now: n.o.Now,
		Logger: f.log, MaxModule: f.maxModule, Secure: f.origins.scheme == "https", AppsDomain: f.origins.appsDomain,
		Types: javascript.Types,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the console: %w", err)
	}
	desk := http.NewServeMux()
	desk.Handle("/", pages)
	desk.Handle("/api/", api.New(apiServices(n), api.Options{Logger: f.log, MaxModule: f.maxModule, FreshSignIn: n.signIn.fresh(n.o.FreshSignIn), Now: n.o.Now, Types: javascript.Types}))
	desk.Handle(scim.Prefix, scim.New(scimServices(n), scim.Options{Logger: f.log, URL: n.provisioningURL}))
	desk.Handle("/problems/", problem.Handler())
	desk.HandleFunc("GET /.well-known/jwks.json", n.serveKeys)
	desk.HandleFunc("GET /healthz", f.serveHealth)
	desk.HandleFunc("GET /metrics", f.metrics.serve)
	apps := gateway.New(gateway.Options{
		Router: f.host, Secure: f.origins.scheme == "https", Hidden: gate.Ours,
		WriteFault: func(w http.ResponseWriter, r *http.Request, id string, err error) {
			if errors.Is(err, access.ErrPathMethod) {
				w.Header().Set("Allow", "GET, POST")
			}
			if errors.Is(err, webhook.ErrMethod) { // only webhooks have methods of their own
				w.Header().Set("Allow", webhook.Methods)
			}
			f.writeFault(w, r, id, err)
		},
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.origins.isConsole(r.Host) {
			desk.ServeHTTP(w, r)
			return
		}
		apps.ServeHTTP(w, r)
	}), nil
}

// serveKeys publishes the keys by which other services check what an app passes on of its callers.
func (n *Node) serveKeys(w http.ResponseWriter, r *http.Request) {
	set, err := n.identity.Published(n.o.Now())
	if err != nil {
		n.log.ErrorContext(r.Context(), "the keys of people's identities cannot be made", "err", err)
		refuse(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("Access-Control-Allow-Origin", "*") // public keys, for pages too
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(set)
}

func (f *front) serveHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	switch {
	case f.meter.Ready() != nil:
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("usage cannot be journaled: apps are not served; see the node's log\n"))
	case f.watch.Unwell():
		_, _ = w.Write([]byte("not well: five or more panics of the node's own code were recovered within a minute; it serves; see the node's log\n"))
	default:
		_, _ = w.Write([]byte("ok\n"))
	}
}

// writeFault sends a caller of an app the response to a request that was not served. No one has signed
// in, so that the app's owner is named as colleagues know them, and not by an address that takes mail.
func (f *front) writeFault(w http.ResponseWriter, r *http.Request, id string, err error) {
	var about problem.About
	if app, found := f.host.NoteRefused(r.Context(), r.Host, id, err); found {
		about = problem.About{App: app.Name, Title: app.Title, Owner: registry.KnownAs(app.Owner), Team: app.Team, Console: f.origins.consoleURL}
	}
	about.Page = gateway.TakesPage(r.Header)
	problem.WriteFault(w, about, err)
}

// refuse is writeFault for requests that reach no handler, so that no app is looked up for them.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set(gateway.InvocationHeader, gateway.NewID())
	if errors.Is(err, door.ErrMethod) {
		w.Header().Set("Allow", door.Methods)
	}
	problem.WriteFault(w, problem.About{Page: gateway.TakesPage(r.Header)}, err)
}

// calmly responds to a request whose handler panics with a problem, if no response has begun.
// net/http would recover it, too, and break the connection off without a word.
func (f *front) calmly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := &begun{ResponseWriter: w}
		err := f.watch.Do("handler", func() error { next.ServeHTTP(out, r); return nil })
		if err == nil {
			return
		}
		if out.begun {
			// No half of a response is taken for a whole one.
			panic(http.ErrAbortHandler)
		}
		for name := range w.Header() {
			if name != gateway.InvocationHeader && name != "Connection" { // which is the door's
				w.Header().Del(name)
			}
		}
		if id := w.Header().Get(gateway.InvocationHeader); id != "" {
			f.writeFault(w, r, id, err)
			return
		}
		refuse(w, r, err)
	})
}

// begun notes that a response has begun.
type begun struct {
	http.ResponseWriter
	begun bool
}

func (b *begun) WriteHeader(status int) {
	b.begun = b.begun || status >= 200
	b.ResponseWriter.WriteHeader(status)
}

func (b *begun) Write(p []byte) (int, error) {
	b.begun = true
	return b.ResponseWriter.Write(p)
}

// ReadFrom keeps what net/http can do for files.
func (b *begun) ReadFrom(r io.Reader) (int64, error) {
	b.begun = true
	return io.Copy(b.ResponseWriter, r)
}

func (b *begun) FlushError() error {
	b.begun = true
	return http.NewResponseController(b.ResponseWriter).Flush()
}

// Flush is for those who do not know FlushError.
func (b *begun) Flush() { _ = b.FlushError() }

// Unwrap is for http.ResponseController.
func (b *begun) Unwrap() http.ResponseWriter { return b.ResponseWriter }
