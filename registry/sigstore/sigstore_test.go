package sigstore_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"

	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/registry/sigstore"
)

var module = []byte("\x00asm\x01\x00\x00\x00")

func authority(t testing.TB, dir string, now func() time.Time) (*sigstore.Authority, *sigstore.Verifier) {
	t.Helper()
	a, err := sigstore.OpenAuthority(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	root, err := a.TrustedRootJSON()
	if err != nil {
		t.Fatal(err)
	}
	v, err := sigstore.NewVerifier(root)
	if err != nil {
		t.Fatal(err)
	}
	return a, v
}

func noKeys(string) (registry.Key, error) { return registry.Key{}, registry.ErrNotFound }

func sign(t testing.TB, a *sigstore.Authority, who string) []byte {
	t.Helper()
	b, err := a.SignAs(t.Context(), module, who)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestByIdentity(t *testing.T) {
	dir := t.TempDir()
	a, v := authority(t, dir, time.Now)
	bundle := sign(t, a, "ada@example.com")
	s, err := v.Verify(module, bundle, noKeys)
	if err != nil || s.Identity != "ada@example.com" || s.Method != "identity" || s.Trust != "local" || time.Since(s.SignedAt) > time.Minute {
		t.Fatalf("%+v, %v", s, err)
	}
	// The trust root outlives the process.
	_, later := authority(t, dir, time.Now)
	if _, err := later.Verify(module, bundle, noKeys); err != nil {
		t.Errorf("after opening again: %v", err)
	}
	if _, err := v.Verify([]byte("other bytes"), bundle, noKeys); !errors.Is(err, registry.ErrBadSignature) {
		t.Errorf("other bytes: %v", err)
	}
	if _, err := v.Verify(module, nil, noKeys); !errors.Is(err, registry.ErrUnsigned) {
		t.Errorf("no bundle: %v", err)
	}
	if _, err := v.Verify(module, []byte(`{"x":1}`), noKeys); !errors.Is(err, registry.ErrBadSignature) {
		t.Errorf("garbage: %v", err)
	}
	_, stranger := authority(t, t.TempDir(), time.Now)
	if _, err := stranger.Verify(module, bundle, noKeys); !errors.Is(err, registry.ErrUntrusted) {
		t.Errorf("another node: %v", err)
	}
}

// TestOldSignaturesStayValid: the certificate lives for ten minutes, what was
// signed within them stays signed.
func TestOldSignaturesStayValid(t *testing.T) {
	dir := t.TempDir()
	clock := time.Now().Add(-48 * time.Hour)
	old, _ := authority(t, dir, func() time.Time { return clock })
	bundle := sign(t, old, "ada@example.com")
	_, v := authority(t, dir, time.Now)
	if s, err := v.Verify(module, bundle, noKeys); err != nil || !s.SignedAt.Before(time.Now().Add(-47*time.Hour)) {
		t.Errorf("%+v, %v", s, err)
	}
	// A timestamp from after the certificate's end does not count.
	late, err := sigstore.SignWithIdentity(module,
		func(csr []byte) ([]byte, error) { return old.Certify(csr, "ada@example.com") },
		func(q []byte) ([]byte, error) {
			clock = clock.Add(time.Hour)
			return old.Timestamp(q)
		})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(module, late, noKeys); !errors.Is(err, registry.ErrBadSignature) {
		t.Errorf("signed after the certificate ended: %v", err)
	}
}

func TestByKey(t *testing.T) {
	_, v := authority(t, t.TempDir(), time.Now)
	private, public, err := sigstore.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := sigstore.SignWithKey(module, private, nil)
	if err != nil {
		t.Fatal(err)
	}
	hint, err := sigstore.ParsePublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	keys := func(h string) (registry.Key, error) {
		if h != hint {
			return registry.Key{}, registry.ErrNotFound
		}
		return registry.Key{Hint: hint, PEM: string(public), Identity: "ci@example.com", Added: time.Now()}, nil
	}
	if s, err := v.Verify(module, bundle, keys); err != nil || s.Identity != "ci@example.com" || s.Method != "key" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := v.Verify(module, bundle, noKeys); !errors.Is(err, registry.ErrUntrusted) {
		t.Errorf("a key that is not registered: %v", err)
	}
	if _, err := v.Verify([]byte("other"), bundle, keys); !errors.Is(err, registry.ErrBadSignature) {
		t.Errorf("other bytes: %v", err)
	}
	_, other, _ := sigstore.GenerateKey()
	swapped := func(string) (registry.Key, error) {
		return registry.Key{PEM: string(other), Identity: "eve@example.com", Added: time.Now()}, nil
	}
	if _, err := v.Verify(module, bundle, swapped); !errors.Is(err, registry.ErrBadSignature) {
		t.Errorf("another key under the same hint: %v", err)
	}
}

// TestAlteredBundles: no part of a bundle can be left out or exchanged.
func TestAlteredBundles(t *testing.T) {
	a, v := authority(t, t.TempDir(), time.Now)
	mine, hers := sign(t, a, "ada@example.com"), sign(t, a, "eve@example.com")
	edit := func(change func(mine, hers map[string]any)) []byte {
		var m, h map[string]any
		if json.Unmarshal(mine, &m) != nil || json.Unmarshal(hers, &h) != nil {
			t.Fatal("the bundle is no JSON")
		}
		change(m, h)
		out, _ := json.Marshal(m)
		return out
	}
	material := func(b map[string]any) map[string]any { return b["verificationMaterial"].(map[string]any) }
	for name, bundle := range map[string][]byte{
		"without a timestamp": edit(func(m, _ map[string]any) { material(m)["timestampVerificationData"] = map[string]any{} }),
		"with another's timestamp": edit(func(m, h map[string]any) {
			material(m)["timestampVerificationData"] = material(h)["timestampVerificationData"]
		}),
		"with another's certificate": edit(func(m, h map[string]any) { material(m)["certificate"] = material(h)["certificate"] }),
		"with another's signature":   edit(func(m, h map[string]any) { m["messageSignature"] = h["messageSignature"] }),
		"without a certificate":      edit(func(m, _ map[string]any) { delete(material(m), "certificate") }),
		"with a key instead": edit(func(m, _ map[string]any) {
			delete(material(m), "certificate")
			material(m)["publicKey"] = map[string]any{"hint": "x"}
		}),
		"of another kind": edit(func(m, _ map[string]any) { m["mediaType"] = "application/json" }),
	} {
		if s, err := v.Verify(module, bundle, noKeys); err == nil {
			t.Errorf("%s: verifies as %+v", name, s)
		}
	}
}

func TestIdentitiesThatAreNotCertified(t *testing.T) {
	a, _ := authority(t, t.TempDir(), time.Now)
	for _, who := range []string{"", "ada", "a@b\n", "a@b\x00", ".*@example.com", "a@b,c@d", "<a@b>", "a b@c"} {
		if _, err := a.SignAs(t.Context(), module, who); err == nil {
			t.Errorf("%q was certified", who)
		}
	}
}

// TestPossession: what cosign writes proves a key, in each of its forms, for its identity, node and
// hour, and for nothing else; its encrypted keys are read.
func TestPossession(t *testing.T) {
	now := time.Now()
	private, public, err := sigstore.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(private)
	locked, err := encrypted.Encrypt(block.Bytes, []byte("open sesame"))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"} {
		file := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: locked})
		opened, err := sigstore.OpenKey(file, func() ([]byte, error) { return []byte("open sesame"), nil })
		if err != nil || !bytes.Equal(opened, private) {
			t.Errorf("%s: %v", kind, err)
		}
		if _, err := sigstore.OpenKey(file, func() ([]byte, error) { return nil, nil }); err == nil || !strings.Contains(err.Error(), "COSIGN_PASSWORD") {
			t.Errorf("%s without its password: %v", kind, err)
		}
	}
	if half, err := sigstore.PublicOf(private); err != nil || !bytes.Equal(half, public) {
		t.Errorf("%s, %v", half, err)
	}
	text := sigstore.PossessionText("node", "ada@example.com", now)
	bundle, err := sigstore.SignWithKey([]byte(text), private, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b struct {
		MessageSignature struct{ Signature string }
	}
	if err := json.Unmarshal(bundle, &b); err != nil {
		t.Fatal(err)
	}
	signature := b.MessageSignature.Signature
	for form, proof := range map[string]string{"bundle": string(bundle), "earlier bundle": `{"base64Signature":"` + signature + `"}`, "signature": signature + "\n"} {
		check := func(node, identity, text string, at time.Time) error {
			return sigstore.CheckPossession(public, node, identity, text, []byte(proof), at)
		}
		for _, after := range []time.Duration{-4 * time.Minute, 0, 59 * time.Minute} {
			if err := check("node", "ada@example.com", text, now.Add(after)); err != nil {
				t.Errorf("%s, %s later: %v", form, after, err)
			}
		}
		for name, err := range map[string]error{
			"another node": check("other", "ada@example.com", text, now), "another identity": check("node", "eve@example.com", text, now),
			"another text": check("node", "ada@example.com", sigstore.PossessionText("node", "ada@example.com", now.Add(time.Second)), now),
			"too late":     check("node", "ada@example.com", text, now.Add(61*time.Minute)), "too early": check("node", "ada@example.com", text, now.Add(-6*time.Minute)),
			"no text": check("node", "ada@example.com", "", now), "more text": check("node", "ada@example.com", text+"\n", now),
		} {
			if !errors.Is(err, registry.ErrUnproven) {
				t.Errorf("%s, %s: %v", form, name, err)
			}
		}
	}
	for _, proof := range []string{"", "{}", "{", "!", `{"base64Signature":""}`, "AAAA"} {
		if err := sigstore.CheckPossession(public, "node", "ada@example.com", text, []byte(proof), now); !errors.Is(err, registry.ErrUnproven) {
			t.Errorf("%q: %v", proof, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	a, v := authority(f, f.TempDir(), time.Now)
	good := sign(f, a, "ada@example.com")
	f.Add(good)
	f.Fuzz(func(t *testing.T, bundle []byte) {
		s, err := v.Verify(module, bundle, noKeys)
		if err == nil && (s.Identity != "ada@example.com" || !bytes.Contains(bundle, []byte("messageSignature"))) {
			t.Fatalf("verifies as %+v", s)
		}
	})
}
