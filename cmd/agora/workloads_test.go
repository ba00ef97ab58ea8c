package main

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agora-host/agora/sdk/client"
)

// TestExchangeInGitHub: in a job of GitHub Actions the command asks GitHub for a token for the node, and writes
// what the node gives for it to a file that its owner alone reads.
func TestExchangeInGitHub(t *testing.T) {
	secret := rand.Text()
	var asked string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /token", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+secret || r.FormValue("api-version") != "2.0" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"value": "job for " + r.FormValue("audience")})
	})
	mux.HandleFunc("POST /api/v1/token", func(w http.ResponseWriter, r *http.Request) {
		var in map[string]string
		_ = json.NewDecoder(r.Body).Decode(&in)
		if asked = in["subject_token"]; r.Header.Get("Authorization") != "" {
			t.Error("a credential of another node's, or of a person's, goes with it")
		}
		_ = json.NewEncoder(w).Encode(client.Exchanged{AccessToken: "agora_tok_x", User: "deploy@service-account", Rule: "deploy", ExpiresIn: 900, Scope: in["scope"]})
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", server.URL+"/token?api-version=2.0")
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", secret)
	t.Setenv("AGORA_TOKEN", "agora_tok_mine")
	out := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(out, []byte("a longer text that was there before, and that anybody read"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := runCLI(t, "tokens", "exchange", "--url", server.URL, "--scope", "apps:read", "--out", out)
	if code != 0 || strings.Contains(stdout+stderr, "agora_tok_x") || asked != "job for "+server.URL {
		t.Errorf("%d %s%s, asked with %q", code, stdout, stderr, asked)
	}
	info, err := os.Stat(out)
	text, readErr := os.ReadFile(out)
	if err != nil || readErr != nil || info.Mode().Perm() != 0o600 || string(text) != "agora_tok_x\n" {
		t.Errorf("%v %q %v %v", info.Mode(), text, err, readErr)
	}
	if code, stdout, _ = runCLI(t, "tokens", "exchange", "--url", server.URL, "--audience", "other"); code != 0 || stdout != "agora_tok_x\n" || asked != "job for other" {
		t.Errorf("%d %q, asked with %q", code, stdout, asked)
	}
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "other")
	if code, _, stderr = runCLI(t, "tokens", "exchange", "--url", server.URL); code == 0 || !strings.Contains(stderr, "403") {
		t.Errorf("%d %s", code, stderr)
	}
}
