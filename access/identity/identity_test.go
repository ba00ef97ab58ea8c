package identity_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/access/identity"
)

var (
	start = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	ada   = access.Caller{ID: "p_ada", Name: "ada@example.com", Via: access.CallerSession}
)

func open(t testing.TB, path string) *identity.Keys {
	t.Helper()
	k, err := identity.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func published(t testing.TB, k *identity.Keys, at time.Time) (set jose.JSONWebKeySet) {
	t.Helper()
	raw, err := k.Published(at)
	if err == nil {
		err = json.Unmarshal(raw, &set)
	}
	if err != nil || strings.Contains(string(raw), `"d"`) {
		t.Fatalf("%s, %v", raw, err)
	}
	return set
}

func sign(t testing.TB, k *identity.Keys, at time.Time) string {
	t.Helper()
	token, err := k.Token("https://console.test", "https://shop.apps.test", ada, at, at.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// check verifies a token as another service does, with what was published at a time.
func check(token string, set jose.JSONWebKeySet, at time.Time) (map[string]any, error) {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, err
	}
	var claims jwt.Claims
	var all map[string]any
	if err := parsed.Claims(set, &claims, &all); err != nil {
		return nil, err
	}
	return all, claims.ValidateWithLeeway(jwt.Expected{Issuer: "https://console.test", AnyAudience: jwt.Audience{"https://shop.apps.test"}, Time: at}, 0)
}

// TestRotation: at each hour of a quarter, a token is signed by a key that was published a day before and is a
// day after; after a quarter, none of the keys of the start is.
func TestRotation(t *testing.T) {
	k := open(t, filepath.Join(t.TempDir(), "keys"))
	ids := map[string]bool{}
	for at := start; at.Before(start.Add(90 * 24 * time.Hour)); at = at.Add(5 * time.Hour) {
		token := sign(t, k, at)
		for _, read := range []time.Duration{-24 * time.Hour, 0, 24 * time.Hour} {
			claims, err := check(token, published(t, k, at.Add(read)), at)
			if err != nil || claims["sub"] != "p_ada" || claims["name"] != ada.Name || claims["via"] != "session" {
				t.Fatalf("at %s, with the keys of %s later: %v, %v", at, read, claims, err)
			}
		}
		for _, one := range published(t, k, at).Keys {
			ids[one.KeyID] = true
		}
	}
	if len(ids) < 13 || len(ids) > 16 {
		t.Errorf("%d keys in 90 days", len(ids))
	}
	later := start.Add(90 * 24 * time.Hour)
	if _, err := check(sign(t, k, start), published(t, k, later), start); err == nil {
		t.Error("a key of the start is published still")
	}
	if _, err := check(sign(t, k, start), published(t, k, start), start.Add(61*time.Second)); err == nil {
		t.Error("a token is good after its end")
	}
}

// TestPseudonyms: stable, of one person and one app, and not to be had by joining names otherwise.
func TestPseudonyms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	k := open(t, path)
	seen := map[string]string{}
	for _, pair := range [][2]string{{"shop", "u_ada"}, {"shop", "u_bob"}, {"desk", "u_ada"}, {"shopu_", "ada"}, {"sho", "pu_ada"}, {"", "shopu_ada"}, {"4:shop5:", ""}} {
		id := k.Pseudonym(pair[0], pair[1])
		if was, twice := seen[id]; twice || len(id) != 28 || strings.Contains(id, "ada") {
			t.Errorf("%q of %v, and of %s", id, pair, was)
		}
		seen[id] = pair[0] + " " + pair[1]
		if again := open(t, path).Pseudonym(pair[0], pair[1]); again != id {
			t.Errorf("after a start: %q, then %q", id, again)
		}
	}
	if open(t, filepath.Join(t.TempDir(), "keys")).Pseudonym("shop", "u_ada") == k.Pseudonym("shop", "u_ada") {
		t.Error("another node makes the same pseudonym")
	}
}

// flipped is a file in which one letter of a secret is another.
func flipped(raw []byte) string {
	at := strings.Index(string(raw), `"pseudonyms":"`) + len(`"pseudonyms":"`) + 3
	other := byte('A')
	if raw[at] == other {
		other = 'B'
	}
	return string(raw[:at]) + string(other) + string(raw[at+1:])
}

// TestFile: nodes that share the file trust each other's tokens; without its second half, tokens of before are
// worth nothing and pseudonyms stay; a file that others can read, or that is damaged, is refused.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	k := open(t, path)
	before := sign(t, k, start)
	if _, err := check(before, published(t, open(t, path), start), start); err != nil {
		t.Error(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]string
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	delete(file, "tokens")
	half, _ := json.Marshal(file)
	if err := os.WriteFile(path, half, 0o600); err != nil {
		t.Fatal(err)
	}
	other := open(t, path)
	if _, err := check(before, published(t, other, start), start); err == nil {
		t.Error("a token of before is good")
	}
	if other.Pseudonym("shop", "u_ada") != k.Pseudonym("shop", "u_ada") {
		t.Error("pseudonyms changed")
	}
	for _, bad := range []string{"", "{}", "null", string(raw[:len(raw)-9]), strings.Replace(string(raw), `"pseudonyms":"`, `"pseudonyms":"AAAA`, 1), flipped(raw), `{"pseudonyms":"AAAA","tokens":"AAAA"}`} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := identity.Open(path); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := identity.Open(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("readable by others: %v", err)
	}
}
