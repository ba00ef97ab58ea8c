package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// TestTwoOperatorsSetAUser: what another operator changes between the reading and the writing of
// `agora users set` is not lost, and the command ends.
func TestTwoOperatorsSetAUser(t *testing.T) {
	const eve = "eve@example.com"
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h, err := node.New(t.Context(), node.Options{DataDir: t.TempDir(), Listen: "127.0.0.1:0", Audience: access.AudiencePublic, Worker: []string{exe}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_ = h.Stop(ctx)
	})
	token := func(user string) string {
		secret, err := h.People.TokenFor(t.Context(), user, "test", time.Hour, access.RoleOperator)
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	mine := token("ops@example.com")
	other, err := client.New(h.ConsoleURL(), token("pat@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		was    []string
		others [][]string // what the other operator writes just before each write of the command
		args   []string
		code   int
		want   []string
		says   string
	}{
		{"a role is added to what the other has made", []string{"viewer"}, [][]string{{"developer"}}, []string{"--add-role", "reviewer"}, 0, []string{"developer", "reviewer"}, "had developer"},
		{"twice", []string{"viewer"}, [][]string{{"developer"}, {}}, []string{"--add-role", "reviewer"}, 0, []string{"reviewer"}, "had no role"},
		{"a set is for the user as they were", []string{"viewer"}, [][]string{{"developer"}}, []string{"--role", "reviewer", "--yes"}, exitConflict, []string{"developer"}, "by pat@example.com"},
		{"the other does not end", []string{"viewer"}, [][]string{{"developer"}, {}, {"viewer"}, {"developer"}, {}, {"viewer"}}, []string{"--add-role", "reviewer"}, exitConflict, []string{}, "by pat@example.com"},
	} {
		if _, err := other.PutUser(t.Context(), eve, c.was, false); err != nil {
			t.Fatal(err)
		}
		front := between(t, h.ConsoleURL(), func(n int) {
			if n < len(c.others) {
				if _, err := other.PutUser(t.Context(), eve, c.others[n], false); err != nil {
					t.Error(err)
				}
			}
		})
		code, out, errs := runCLI(t, append([]string{"users", "set", eve, "--url", front, "--token", mine}, c.args...)...)
		u, err := other.User(t.Context(), eve)
		if err != nil {
			t.Fatal(err)
		}
		if code != c.code || !slices.Equal(u.Roles, c.want) || !strings.Contains(out+errs, c.says) {
			t.Errorf("%s: exit status %d, %v has %v, %s%s", c.name, code, eve, u.Roles, out, errs)
		}
	}
}

// between is a proxy that calls happen before it passes each write of a user on.
func between(t *testing.T, to string, happen func(n int)) string {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	writes := 0
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			happen(writes)
			writes++
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return front.URL
}
