package sigstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/registry/sigstore"
)

// TestSignDocument: what the node signs verifies with its root alone, unchanged alone, and is
// neither a module's signature nor something that a user can make.
func TestSignDocument(t *testing.T) {
	a, err := sigstore.OpenAuthority(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := a.TrustedRootJSON()
	if err != nil {
		t.Fatal(err)
	}
	document := []byte(`{"id":"cert-1"}`)
	signature, err := a.SignDocument(document)
	if err != nil {
		t.Fatal(err)
	}
	if err := sigstore.VerifyDocument(trusted, document, signature); err != nil {
		t.Errorf("the document as it was signed: %v", err)
	}
	if err := sigstore.VerifyDocument(trusted, []byte(`{"id":"cert-2"}`), signature); !errors.Is(err, registry.ErrBadSignature) {
		t.Errorf("another document: %v, want ErrBadSignature", err)
	}
	other, err := sigstore.OpenAuthority(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	otherRoot, _ := other.TrustedRootJSON()
	if err := sigstore.VerifyDocument(otherRoot, document, signature); !errors.Is(err, registry.ErrBadSignature) {
		t.Errorf("another node's root: %v, want ErrBadSignature", err)
	}
	byUser, err := a.SignAs(t.Context(), document, "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if err := sigstore.VerifyDocument(trusted, document, byUser); !errors.Is(err, registry.ErrBadSignature) {
		t.Errorf("a user's signature: %v, want ErrBadSignature", err)
	}
	v, err := sigstore.NewVerifier(trusted)
	if err != nil {
		t.Fatal(err)
	}
	if who, err := v.Verify(document, signature, nil); err == nil {
		t.Errorf("the node's signature is taken for a module's, by %q", who.Identity)
	}
	if _, err := a.SignAs(t.Context(), document, sigstore.NodeIdentity); !errors.Is(err, registry.ErrUntrusted) {
		t.Errorf("the node's identity for a user: %v, want ErrUntrusted", err)
	}
}
