package secrets_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/secrets"
)

func open(t *testing.T, path string) *secrets.Ring {
	t.Helper()
	r, err := secrets.OpenRing(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func seal(r *secrets.Ring, app, name, value string) secrets.Secret {
	s := secrets.Secret{App: app, Name: name}
	s.Key, s.Sealed = r.Seal(app, name, []byte(value))
	return s
}

func TestRing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	r := open(t, path)
	s := seal(r, "shop", "stripe", "hunter2")
	if bytes.Contains(s.Sealed, []byte("hunter2")) {
		t.Error("the value can be read")
	}
	if again := seal(r, "shop", "stripe", "hunter2"); bytes.Equal(again.Sealed, s.Sealed) {
		t.Error("sealing twice gives the same bytes")
	}
	if v, err := open(t, path).Open(s); string(v) != "hunter2" || err != nil {
		t.Errorf("after a restart: %q, %v", v, err)
	}
	for name, change := range map[string]func(*secrets.Secret){
		"another app":  func(s *secrets.Secret) { s.App = "other" },
		"another name": func(s *secrets.Secret) { s.Name = "strip"; s.App = "shope" },
		"a bit":        func(s *secrets.Secret) { s.Sealed = bytes.Clone(s.Sealed); s.Sealed[len(s.Sealed)-1] ^= 1 },
		"cut off":      func(s *secrets.Secret) { s.Sealed = s.Sealed[:11] },
		"empty":        func(s *secrets.Secret) { s.Sealed = nil },
		"another key":  func(s *secrets.Secret) { s.Key = "nope" },
	} {
		bad := s
		change(&bad)
		v, err := r.Open(bad)
		if !errors.Is(err, secrets.ErrSealed) || v != nil {
			t.Errorf("%s: %q, %v", name, v, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the value: %v", name, err)
		}
	}
	if _, err := open(t, filepath.Join(t.TempDir(), "keys")).Open(s); !errors.Is(err, secrets.ErrSealed) {
		t.Errorf("another node opens it: %v", err)
	}
	if text := fmt.Sprint(s.LogValue()); text != "shop/stripe" {
		t.Errorf("it is logged as %s", text)
	}
}

func TestRingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	open(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := secrets.OpenRing(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("others can read it: %v", err)
	}
	for _, text := range []string{"", "{}", `{"keys":[{"id":"a","key":"AAAA"}]}`, `{"keys":[]}`} {
		if err := errors.Join(os.Remove(path), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		if _, err := secrets.OpenRing(path); err == nil || !strings.Contains(err.Error(), "backup") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// memory is a transaction over a list.
type memory struct{ all []secrets.Secret }

func (m *memory) Secret(app, name string) (secrets.Secret, error) {
	for _, s := range m.all {
		if s.App == app && s.Name == name {
			return s, nil
		}
	}
	return secrets.Secret{}, secrets.ErrNotFound
}

func (m *memory) Secrets(string) ([]secrets.Secret, error) { return slices.Clone(m.all), nil }

func (m *memory) PutSecret(s secrets.Secret) error {
	m.all = append(slices.DeleteFunc(m.all, func(o secrets.Secret) bool { return o.App == s.App && o.Name == s.Name }), s)
	return nil
}

func (m *memory) DeleteSecret(string, string) error { return nil }

// TestRotation: a new key, everything sealed anew, the old key gone; at each step
// everything opens, also after a restart.
func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	r := open(t, path)
	m := &memory{}
	for _, app := range []string{"a", "b", "c"} {
		_ = m.PutSecret(seal(r, app, "n", "value of "+app))
	}
	opens := func(step string) {
		t.Helper()
		for _, ring := range []*secrets.Ring{r, open(t, path)} {
			for _, s := range m.all {
				if v, err := ring.Open(s); string(v) != "value of "+s.App || err != nil {
					t.Errorf("%s: %q, %v", step, v, err)
				}
			}
		}
	}
	before := r.Newest()
	if err := r.Add(); err != nil {
		t.Fatal(err)
	}
	opens("a key was added")
	if n, err := secrets.Reseal(m, r); n != 3 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	opens("sealed anew")
	for olderThan, step := range map[string]string{before: "nothing is older than the oldest", "none": "a key that is not there"} {
		if err := r.Forget(olderThan, func(string) bool { return false }); err != nil {
			t.Fatal(err)
		}
		opens(step)
	}
	if err := r.Forget(r.Newest(), func(id string) bool { return id == before }); err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(path); err != nil || !strings.Contains(string(raw), before) {
		t.Errorf("a key that is needed is gone, %v", err)
	}
	if err := r.Forget(r.Newest(), func(string) bool { return false }); err != nil {
		t.Fatal(err)
	}
	opens("the old key is gone")
	if n, err := secrets.Reseal(m, r); n != 0 || err != nil {
		t.Errorf("sealed again what needed it not: %d, %v", n, err)
	}
	raw, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(raw), before) {
		t.Errorf("the old key is still in the file, %v", err)
	}
}
