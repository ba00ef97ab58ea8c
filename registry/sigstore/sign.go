package sigstore

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/digitorus/timestamp"

	"github.com/agora-host/agora/registry"
)

// Bundle's JSON form (github.com/sigstore/protobuf-specs, sigstore_bundle.proto).
type bundleJSON struct {
	MediaType string       `json:"mediaType"`
	Material  materialJSON `json:"verificationMaterial"`
	Signature struct {
		Digest struct {
			Algorithm string `json:"algorithm"`
			Digest    []byte `json:"digest"`
		} `json:"messageDigest"`
		Signature []byte `json:"signature"`
	} `json:"messageSignature"`
}

type materialJSON struct {
	Certificate *rawBytesJSON `json:"certificate,omitempty"`
	PublicKey   *hintJSON     `json:"publicKey,omitempty"`
	Timestamps  struct {
		RFC3161 []signedTimestampJSON `json:"rfc3161Timestamps,omitempty"`
	} `json:"timestampVerificationData"`
}

type (
	rawBytesJSON struct {
		RawBytes []byte `json:"rawBytes"`
	}
	hintJSON struct {
		Hint string `json:"hint"`
	}
	signedTimestampJSON struct {
		SignedTimestamp []byte `json:"signedTimestamp"`
	}
)

const bundleMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// seal makes a bundle of a signature. stamp may be nil.
func seal(key *ecdsa.PrivateKey, module []byte, material materialJSON, stamp func([]byte) ([]byte, error)) ([]byte, error) {
	digest := sha256.Sum256(module)
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if stamp != nil {
		request, err := timestamp.CreateRequest(bytes.NewReader(signature), &timestamp.RequestOptions{Hash: crypto.SHA256})
		if err != nil {
			return nil, fmt.Errorf("ask for a timestamp: %w", err)
		}
		response, err := stamp(request)
		if err != nil {
			return nil, fmt.Errorf("ask for a timestamp: %w", err)
		}
		material.Timestamps.RFC3161 = []signedTimestampJSON{{response}}
	}
	b := bundleJSON{MediaType: bundleMediaType, Material: material}
	b.Signature.Digest.Algorithm, b.Signature.Digest.Digest = "SHA2_256", digest[:]
	b.Signature.Signature = signature
	return json.Marshal(b)
}

// SignWithKey signs with a long-lived private key (PEM, PKCS #8, ECDSA P-256).
// stamp may be nil: what a registered key signs is trusted as long as the key
// is, whenever it was signed.
func SignWithKey(module, keyPEM []byte, stamp func(request []byte) ([]byte, error)) ([]byte, error) {
	key, err := privateKey(keyPEM)
	if err != nil {
		return nil, err
	}
	hint, err := keyHint(key.Public())
	if err != nil {
		return nil, err
	}
	return seal(key, module, materialJSON{PublicKey: &hintJSON{hint}}, stamp)
}

func privateKey(text []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the key file holds no PEM: make a key with `agora keys generate`")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("the key file holds no ECDSA P-256 key in PKCS #8: make one with `agora keys generate`")
	}
	return key, nil
}

// SignWithIdentity signs with a key that is made for this signature, certified
// for the identity behind certify, and forgotten.
func SignWithIdentity(module []byte, certify, stamp func([]byte) ([]byte, error)) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, err
	}
	chain, err := certify(csr)
	if err != nil {
		return nil, fmt.Errorf("ask for a certificate: %w", err)
	}
	leaf, _ := pem.Decode(chain)
	if leaf == nil {
		return nil, errors.New("the node returned no certificate")
	}
	return seal(key, module, materialJSON{Certificate: &rawBytesJSON{leaf.Bytes}}, stamp)
}

// SignAs signs here for an identity that this node has authenticated.
func (a *Authority) SignAs(_ context.Context, module []byte, identity string) ([]byte, error) {
	return SignWithIdentity(module, func(csr []byte) ([]byte, error) { return a.Certify(csr, identity) }, a.Timestamp)
}

// GenerateKey makes a key pair for SignWithKey, as PEM.
func GenerateKey() (private, public []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}), nil
}

// ParsePublicKey checks a public key and returns its hint: base64 of the
// SHA-256 of its SubjectPublicKeyInfo.
func ParsePublicKey(text []byte) (hint string, err error) {
	key, err := publicKey(text)
	if err != nil {
		return "", err
	}
	return keyHint(key)
}

func publicKey(text []byte) (*ecdsa.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%w: it holds no PEM", registry.ErrBadKey)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PublicKey)
	if err != nil || !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: it holds no ECDSA P-256 public key", registry.ErrBadKey)
	}
	return key, nil
}

func keyHint(public crypto.PublicKey) (string, error) {
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(spki)
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}
