package sigstore

import (
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/agora-host/agora/registry"
)

// maxBundle bounds a bundle, in bytes.
const maxBundle = 1 << 20

// Verifier checks bundles against one trust root and registered keys.
type Verifier struct {
	certificates *verify.Verifier
	identity     verify.PolicyOption
	material     root.TrustedMaterial
}

var _ registry.Verifier = (*Verifier)(nil)

// NewVerifier takes a sigstore trusted root. Without one, it trusts no authority
// and registered keys alone.
func NewVerifier(trustedRoot []byte) (*Verifier, error) {
	if len(trustedRoot) == 0 {
		return &Verifier{}, nil
	}
	material, err := root.NewTrustedRootFromJSON(trustedRoot)
	if err != nil {
		return nil, fmt.Errorf("read the trust root: %w", err)
	}
	v, err := verify.NewVerifier(material, verify.WithSignedTimestamps(1))
	if err != nil {
		return nil, err
	}
	// Whose identity it is, is for the caller to judge; that there is one, and
	// that our own authority issued it, is checked here.
	id, err := verify.NewShortCertificateIdentity(Issuer, "", "", `^[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+$`)
	if err != nil {
		return nil, err
	}
	return &Verifier{certificates: v, identity: verify.WithCertificateIdentity(id), material: material}, nil
}

// Verify checks that a bundle signs exactly these bytes.
func (v *Verifier) Verify(module, raw []byte, keys func(hint string) (registry.Key, error)) (registry.Signer, error) {
	if len(raw) == 0 {
		return registry.Signer{}, fmt.Errorf("%w: run `agora sign` on it, or upload with `agora deploy`, which signs", registry.ErrUnsigned)
	}
	if len(raw) > maxBundle {
		return registry.Signer{}, fmt.Errorf("%w: the bundle is larger than %d bytes", registry.ErrBadSignature, maxBundle)
	}
	var b bundle.Bundle
	if err := b.UnmarshalJSON(raw); err != nil {
		return registry.Signer{}, fmt.Errorf("%w: the bundle cannot be read; sign again: %w", registry.ErrBadSignature, err)
	}
	content, err := b.VerificationContent()
	if err != nil {
		return registry.Signer{}, fmt.Errorf("%w: %w", registry.ErrBadSignature, err)
	}
	digest := sha256.Sum256(module)
	artifact := verify.WithArtifactDigest("sha256", digest[:])
	if content.Certificate() != nil {
		return v.byCertificate(&b, artifact)
	}
	if content.PublicKey() == nil {
		return registry.Signer{}, fmt.Errorf("%w: it names neither a certificate nor a key", registry.ErrBadSignature)
	}
	return byKey(&b, artifact, content.PublicKey().Hint(), keys)
}

func (v *Verifier) byCertificate(b *bundle.Bundle, artifact verify.ArtifactPolicyOption) (registry.Signer, error) {
	if v.certificates == nil {
		return registry.Signer{}, fmt.Errorf("%w: it is signed by an authority, and no trust root was given", registry.ErrUntrusted)
	}
	result, err := v.certificates.Verify(b, verify.NewPolicy(artifact, v.identity))
	if err != nil {
		return registry.Signer{}, v.explain(b, err)
	}
	cert := result.Signature.Certificate
	return registry.Signer{
		Identity: cert.SubjectAlternativeName, Method: registry.MethodIdentity, Issuer: cert.Issuer, Trust: "local",
		SignedAt: result.VerifiedTimestamps[0].Timestamp.UTC(),
	}, nil
}

// explain tells bytes that differ from a signer who is not trusted: if the
// signature is right for whatever digest the bundle itself claims, and this
// certificate chain is not ours, then trust is what is missing.
func (v *Verifier) explain(b *bundle.Bundle, err error) error {
	content, contentErr := b.VerificationContent()
	if contentErr == nil {
		if _, chainErr := verify.VerifyLeafCertificate(content.Certificate().NotBefore, content.Certificate(), v.material); chainErr != nil {
			return fmt.Errorf("%w: its certificate comes from another authority; sign in to this node and sign again: %w", registry.ErrUntrusted, err)
		}
	}
	return fmt.Errorf("%w: these are not the bytes that were signed, or the signature was altered; sign again: %w", registry.ErrBadSignature, err)
}

func byKey(b *bundle.Bundle, artifact verify.ArtifactPolicyOption, hint string, keys func(string) (registry.Key, error)) (registry.Signer, error) {
	key, err := keys(hint)
	if errors.Is(err, registry.ErrNotFound) {
		return registry.Signer{}, fmt.Errorf("%w: the key %s is not registered; register it with `agora keys create`", registry.ErrUntrusted, hint)
	}
	if err != nil {
		return registry.Signer{}, err
	}
	public, err := publicKey([]byte(key.PEM))
	if err != nil {
		return registry.Signer{}, err
	}
	checker, err := signature.LoadECDSAVerifier(public, crypto.SHA256)
	if err != nil {
		return registry.Signer{}, err
	}
	material := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return root.NewExpiringKey(checker, key.Added.AddDate(-100, 0, 0), key.Added.AddDate(100, 0, 0)), nil
	})
	v, err := verify.NewVerifier(material, verify.WithCurrentTime())
	if err != nil {
		return registry.Signer{}, err
	}
	if _, err := v.Verify(b, verify.NewPolicy(artifact, verify.WithKey())); err != nil {
		return registry.Signer{}, fmt.Errorf("%w: these are not the bytes that were signed, or the signature was altered; sign again: %w", registry.ErrBadSignature, err)
	}
	return registry.Signer{Identity: key.Identity, Method: registry.MethodKey, KeyHint: hint, Trust: "key"}, nil
}
