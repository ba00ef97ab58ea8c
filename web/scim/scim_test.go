package scim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/provisioning"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/persons"
	"github.com/agora-host/agora/state/statetest"
	"github.com/agora-host/agora/web/scim"
)

// room has memory for all.
type room struct{}

func (room) Hold(context.Context, int64) (func(), error) { return func() {}, nil }

// fakeGroups are groups in memory, so that the protocol is tested without a store of groups.
type fakeGroups struct {
	mu  sync.Mutex
	all map[string]control.ProvisionedGroup
}

func (f *fakeGroups) Group(_ context.Context, id string, _ bool) (control.ProvisionedGroup, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g, ok := f.all[id]
	if !ok {
		return g, access.ErrNotProvisioned
	}
	return g, nil
}

func (f *fakeGroups) Groups(_ context.Context, q control.ProvisionedQuery, _ bool, keep func(control.ProvisionedGroup) bool) (found []control.ProvisionedGroup, total int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(f.all)) {
		if g := f.all[id]; keep == nil || keep(g) {
			if total++; total > q.Skip && len(found) < q.Limit {
				found = append(found, g)
			}
		}
	}
	return found, total, nil
}

func (f *fakeGroups) change(g control.ProvisionedGroup, c control.GroupChange) control.ProvisionedGroup {
	g.Name, g.External, g.Changed = c.Name, c.External, time.Now()
	for _, s := range c.Members {
		named := func(id string) bool { return slices.Contains(s.IDs, id) }
		switch {
		case s.Where != nil:
			g.Members = slices.DeleteFunc(slices.Clone(g.Members), s.Where)
			continue
		case s.Set:
			g.Members = nil
		default:
			g.Members = slices.DeleteFunc(slices.Clone(g.Members), named)
		}
		if s.Set || s.Add {
			g.Members = append(g.Members, s.IDs...)
		}
	}
	f.all[g.ID] = g
	return g
}

func (f *fakeGroups) AddGroup(_ context.Context, c control.GroupChange) (control.ProvisionedGroup, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.change(control.ProvisionedGroup{ID: fmt.Sprint("g_", len(f.all)), Created: time.Now()}, c), nil
}

func (f *fakeGroups) ChangeGroup(_ context.Context, id string, _ bool, change func(control.ProvisionedGroup) (control.GroupChange, error)) (control.ProvisionedGroup, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g, ok := f.all[id]
	if !ok {
		return g, access.ErrNotProvisioned
	}
	c, err := change(g)
	if err != nil {
		return g, err
	}
	return f.change(g, c), nil
}

func (f *fakeGroups) RemoveGroup(_ context.Context, id string, _ bool, check func(control.ProvisionedGroup) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	g, ok := f.all[id]
	if !ok {
		return access.ErrNotProvisioned
	}
	if err := check(g); err != nil {
		return err
	}
	delete(f.all, id)
	return nil
}

// world is a front door over real people.
type world struct {
	t       testing.TB
	url     string
	store   state.Store
	service *provisioning.Service
	token   string
	log     *bytes.Buffer
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, log: &bytes.Buffer{}}
	raw := statetest.NewMemory(time.Now)
	w.store = persons.Over(statetest.Strict(t, raw))
	log := slog.New(slog.NewTextHandler(w.log, nil))
	desk := &control.Desk{Store: w.store, Now: time.Now, Logger: log, Low: func() error { return nil }, Follow: func(context.Context, abi.Rev) error { return nil }}
	w.service = provisioning.New(provisioning.Options{Desk: desk, URL: func(p string) string { return w.url + "/scim/v2/" + p }})
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		scim.New(scim.Services{Authenticator: w.service, Room: room{}, People: w.service, Groups: w.groups()}, scim.Options{Logger: log, URL: func(p string) string { return w.url + "/scim/v2/" + p }}).ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	w.user("root@example.com", access.RoleOperator)
	w.token = w.newToken("entra")
	return w
}

var shared = &fakeGroups{all: map[string]control.ProvisionedGroup{}}

func (w *world) groups() scim.Groups { return shared }

func (w *world) operator() context.Context {
	return access.WithActor(context.Background(), access.Actor{User: "root@example.com", Roles: []access.Role{access.RoleOperator}, Via: access.KindSession})
}

func (w *world) user(name string, roles ...access.Role) {
	w.t.Helper()
	_, err := w.store.Update(context.Background(), "node", func(tx state.Tx) error {
		tx.Emit("user.changed", "", name, nil)
		_, err := access.ChangeUser(tx, access.User{ID: access.NewPersonID(), Name: name, Roles: roles})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) newToken(provider string) string {
	w.t.Helper()
	secret, _, err := w.service.NewProvisioningToken(w.operator(), control.NewProvisioningToken{Provider: provider})
	if err != nil {
		w.t.Fatal(err)
	}
	return secret
}

// answer is a response.
type answer struct {
	status int
	header http.Header
	raw    string
	doc    map[string]any
}

func (w *world) do(method, path, body string, headers ...string) answer {
	w.t.Helper()
	r, err := http.NewRequest(method, w.url+"/scim/v2/entra"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.token)
	r.Header.Set("Content-Type", "application/scim+json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, raw: string(raw)}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &a.doc); err != nil {
			w.t.Fatalf("%s %s: %v: %s", method, path, err, raw)
		}
	}
	if a.status >= 400 && (a.doc["status"] != fmt.Sprint(a.status) || a.doc["detail"] == "" || a.header.Get("Content-Type") != "application/scim+json") {
		w.t.Errorf("%s %s: %d is no error of SCIM: %s", method, path, a.status, raw)
	}
	return a
}

// TestServe serves until it is ended, for a tester from outside.
func TestServe(t *testing.T) {
	file := os.Getenv("SCIM_SERVE")
	if file == "" {
		t.Skip("it is for a tester from outside")
	}
	w := newWorld(t)
	os.WriteFile(file, []byte(w.url+"/scim/v2/entra "+w.token), 0o600)
	time.Sleep(60 * time.Second)
}
