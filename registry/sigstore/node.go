package sigstore

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"net/url"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/agora-host/agora/registry"
)

// NodeIdentity is for whom the node signs its own documents. It is no e-mail address, as the
// identities of people are: no one can have it certified, and what it signs is no module.
const NodeIdentity = "urn:agora:node"

// SignDocument signs what the node itself says, with a key that exists for this signature only. It
// does no I/O.
func (a *Authority) SignDocument(document []byte) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	name, err := url.Parse(NodeIdentity)
	if err != nil {
		return nil, err
	}
	leaf, err := a.leaf(key.Public(), x509.Certificate{URIs: []*url.URL{name}})
	if err != nil {
		return nil, err
	}
	return seal(key, document, materialJSON{Certificate: &rawBytesJSON{leaf}}, a.Timestamp)
}

// VerifyDocument checks that the node with this trusted root signed a document.
func VerifyDocument(trustedRoot, document, signature []byte) error {
	material, err := root.NewTrustedRootFromJSON(bytes.TrimSpace(trustedRoot))
	if err != nil {
		return fmt.Errorf("read the trust root: %w", err)
	}
	v, err := verify.NewVerifier(material, verify.WithSignedTimestamps(1))
	if err != nil {
		return err
	}
	id, err := verify.NewShortCertificateIdentity(Issuer, "", NodeIdentity, "")
	if err != nil {
		return err
	}
	var b bundle.Bundle
	if err := b.UnmarshalJSON(signature); err != nil {
		return fmt.Errorf("%w: the bundle cannot be read: %w", registry.ErrBadSignature, err)
	}
	digest := sha256.Sum256(document)
	_, err = v.Verify(&b, verify.NewPolicy(verify.WithArtifactDigest("sha256", digest[:]), verify.WithCertificateIdentity(id)))
	if err != nil {
		return fmt.Errorf("%w: the node did not sign this document: %w", registry.ErrBadSignature, err)
	}
	return nil
}
