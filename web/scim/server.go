package scim

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/intake"
)

const (
	mediaType = "application/scim+json"
	// Prefix is where the front door is, before the provider's name.
	Prefix = "/scim/v2/"
	// maxBody bounds a body: a group of 20,000 members fits.
	maxBody = 2 << 20
	// besideBody is how much of memory a body takes while it is read, in bodies.
	besideBody = 4
	// mostNoted is how many attributes that are not kept the log names.
	mostNoted = 200
)

// Options configure the front door.
type Options struct {
	Logger *slog.Logger
	// URL returns the address of the front door for a provider.
	URL func(provider string) string
}

// server serves all providers.
type server struct {
	Services
	log *slog.Logger
	url func(string) string

	mu    sync.Mutex
	noted map[string]bool // attributes that are not kept and that the log names, by provider
}

// New makes the handler of what is below Prefix.
func New(services Services, o Options) http.Handler {
	web.Need(services)
	return &server{Services: services, log: o.Logger.With("component", "scim"), url: o.URL, noted: map[string]bool{}}
}

// call is one request.
type call struct {
	*server
	w        http.ResponseWriter
	r        *http.Request
	provider string
	base     string // the address of the front door for the provider
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, Prefix), "/")
	c := &call{server: s, w: w, r: r, provider: name, base: s.url(name)}
	if err := c.admit(); err != nil {
		intake.Refuse(w, r)
		c.fail(err)
		return
	}
	rest = strings.TrimSuffix(rest, "/")
	if err := c.route(strings.Split(rest, "/")); err != nil {
		c.fail(err)
	}
}

// admit lets a provider in to what is its own.
func (c *call) admit() error {
	secret, err := web.Bearer(c.r)
	if err != nil {
		return err
	}
	actor, err := c.Authenticator.Authenticate(c.r.Context(), secret)
	if err != nil {
		return err
	}
	if actor.Provider() != c.provider || c.provider == "" {
		return &fault{http.StatusForbidden, "", "the token is of another provider than the address names"}
	}
	c.r = c.r.WithContext(access.WithActor(c.r.Context(), actor))
	return nil
}

// endpoint is what an address does, by method.
type endpoint map[string]func() error

func (c *call) route(path []string) error {
	ways := c.endpoint(path)
	if ways == nil {
		return &fault{http.StatusNotFound, "", "there is nothing at this address: /Users, /Groups, /Schemas, /ResourceTypes and /ServiceProviderConfig are"}
	}
	do := ways[c.r.Method]
	if do == nil {
		var methods []string
		for m := range ways {
			methods = append(methods, m)
		}
		slices.Sort(methods)
		c.w.Header().Set("Allow", strings.Join(methods, ", "))
		return &fault{http.StatusMethodNotAllowed, "", "this address takes " + strings.Join(methods, ", ")}
	}
	return do()
}

// endpoint is all of the protocol on one screen; nil: there is nothing.
func (c *call) endpoint(path []string) endpoint {
	id := ""
	if len(path) == 2 {
		id = path[1]
	}
	lists, people, sets := listCall{c}, userCall{c}, groupCall{c}
	unsupported := func() error {
		return &fault{http.StatusNotImplemented, "", "this is not supported, as ServiceProviderConfig says: send one request for each resource"}
	}
	switch {
	case len(path) == 1 && path[0] == "":
		return endpoint{http.MethodGet: lists.listAll}
	case len(path) > 2:
		return nil
	case path[0] == ".search" && id == "":
		return endpoint{http.MethodPost: lists.searchAll}
	case path[0] == "Bulk" && id == "":
		return endpoint{http.MethodPost: unsupported}
	case path[0] == "Me" && id == "":
		return endpoint{http.MethodGet: unsupported, http.MethodPost: unsupported, http.MethodPut: unsupported, http.MethodPatch: unsupported, http.MethodDelete: unsupported}
	case path[0] == "Users" && len(path) == 1:
		return endpoint{http.MethodGet: lists.listUsers, http.MethodPost: people.addUser}
	case path[0] == "Users" && id == ".search":
		return endpoint{http.MethodPost: lists.searchUsers}
	case path[0] == "Users" && id != "":
		return people.user(id)
	case path[0] == "Groups" && len(path) == 1:
		return endpoint{http.MethodGet: lists.listGroups, http.MethodPost: sets.addGroup}
	case path[0] == "Groups" && id == ".search":
		return endpoint{http.MethodPost: lists.searchGroups}
	case path[0] == "Groups" && id != "":
		return sets.group(id)
	}
	return aboutCall{c}.discovery(path[0], id)
}

// body reads a body as one JSON object.
func (c *call) body() (map[string]any, error) {
	if media, _, err := mime.ParseMediaType(cmp.Or(c.r.Header.Get("Content-Type"), mediaType)); err != nil || (media != mediaType && media != "application/json") {
		return nil, &fault{http.StatusUnsupportedMediaType, "", "send " + mediaType + " or application/json"}
	}
	if enc := c.r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return nil, &fault{http.StatusUnsupportedMediaType, "", "send the body as it is, without a Content-Encoding"}
	}
	if err := intake.Begin(c.w, c.r, maxBody); err != nil {
		intake.Refuse(c.w, c.r)
		return nil, err
	}
	intake.Held(c.r)
	size := c.r.ContentLength
	if size < 0 {
		size = maxBody
	}
	release, err := c.Room.Hold(c.r.Context(), besideBody*size)
	if err != nil {
		intake.Refuse(c.w, c.r)
		return nil, err
	}
	defer release()
	raw, err := io.ReadAll(c.r.Body)
	if err != nil {
		return nil, intake.Unreadable(err)
	}
	return decode(raw)
}

// unknown says once, in the log, that an attribute is not kept.
func (c *call) unknown(name string) {
	if name, _, _ = strings.Cut(name, "["); strings.HasSuffix(strings.ToLower(name), "schemas") {
		return // which some send in extensions, too
	}
	key := fmt.Sprintf("%s %.120s", c.provider, strings.ToLower(name))
	c.mu.Lock()
	fresh := !c.noted[key] && len(c.noted) < mostNoted
	if fresh {
		c.noted[key] = true
	}
	c.mu.Unlock()
	if fresh {
		c.log.InfoContext(c.r.Context(), "a provider sends an attribute that is not kept", "provider", c.provider, "attribute", fmt.Sprintf("%.120s", name))
	}
}

// tags reads If-Match or If-None-Match; given is false if the request has none.
func (c *call) tags(header string) (tags []string, given bool) {
	for _, line := range c.r.Header.Values(header) {
		given = true
		for tag := range strings.SplitSeq(line, ",") {
			tags = append(tags, strings.TrimPrefix(strings.TrimSpace(tag), "W/"))
		}
	}
	return tags, given
}

// has reports whether tags name a version, or any.
func has(tags []string, version string) bool {
	return slices.Contains(tags, "*") || slices.Contains(tags, strings.TrimPrefix(version, "W/"))
}

// unchanged returns an error unless a version is the one that the request is about.
func (c *call) unchanged(version string) error {
	if tags, given := c.tags("If-Match"); given && !has(tags, version) {
		return &fault{http.StatusPreconditionFailed, "", "the resource has changed since it was read: read it again"}
	}
	if tags, given := c.tags("If-None-Match"); given && has(tags, version) {
		return &fault{http.StatusPreconditionFailed, "", "the resource is the one that is named in If-None-Match"}
	}
	return nil
}

// conditional reports whether the request names a version.
func (c *call) conditional() bool {
	_, match := c.tags("If-Match")
	_, none := c.tags("If-None-Match")
	return match || none
}

// one responds with one resource.
func (c *call) one(status int, t *resource, doc tree) error {
	meta := doc["meta"].(tree)
	if version, ok := meta["version"].(string); ok {
		c.w.Header().Set("ETag", version)
		if tags, given := c.tags("If-None-Match"); given && c.r.Method == http.MethodGet && has(tags, version) {
			c.w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	if status == http.StatusCreated {
		c.w.Header().Set("Location", meta["location"].(string))
	}
	c.write(status, c.view().project(t, doc))
	return nil
}

func (c *call) view() view {
	q := c.r.URL.Query()
	return viewOf(q["attributes"], q["excludedAttributes"])
}

// ctx is the request's context, with the provider that acts.
func (c *call) ctx() context.Context { return c.r.Context() }
