package scim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
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
		scim.New(scim.Services{Authenticator: w.service, Room: room{}, People: w.service, Groups: w.service}, scim.Options{Logger: log, URL: func(p string) string { return w.url + "/scim/v2/" + p }}).ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	w.user("root@example.com", access.RoleOperator)
	w.token = w.newToken("entra")
	return w
}

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
