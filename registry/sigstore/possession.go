package sigstore

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"

	"github.com/agora-host/agora/registry"
)

// How long after its text a proof of possession is taken, and how far clocks may differ.
const (
	proofLife = time.Hour
	proofSkew = 5 * time.Minute
)

// PossessionText is what a key signs to prove that whoever has its private half wants it to sign
// for an identity, on one node, at a time.
func PossessionText(node, identity string, at time.Time) string {
	return fmt.Sprintf("agora: this key signs for %s\nnode: %s\ntime: %s\n", identity, node, at.UTC().Format(time.RFC3339))
}

// CheckPossession checks that the private half of a public key (PEM) signed the text of a node for
// an identity, within the last hour. A proof is a sigstore bundle, a bundle of earlier cosigns, or
// a signature in base64; that is what `cosign sign-blob` writes.
func CheckPossession(public []byte, node, identity, text string, proof []byte, now time.Time) error {
	key, err := publicKey(public)
	if err != nil {
		return err
	}
	_, stamp, _ := strings.Cut(strings.TrimSuffix(text, "\n"), "\ntime: ")
	at, err := time.Parse(time.RFC3339, stamp)
	if err != nil || text != PossessionText(node, identity, at) {
		return fmt.Errorf("%w: what was signed is not the text that this node gives for %s, byte by byte", registry.ErrUnproven, identity)
	}
	if now.Sub(at) > proofLife || at.Sub(now) > proofSkew {
		return fmt.Errorf("%w: the text is of %s, and is taken for an hour", registry.ErrUnproven, stamp)
	}
	signature, err := signatureIn(proof)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(text))
	if !ecdsa.VerifyASN1(key, digest[:], signature) {
		return fmt.Errorf("%w: the signature is not this key's over this text", registry.ErrUnproven)
	}
	return nil
}

// signatureIn reads the signature of any of the forms of a proof.
func signatureIn(proof []byte) ([]byte, error) {
	if len(proof) > maxBundle {
		return nil, fmt.Errorf("%w: the proof is larger than %d bytes", registry.ErrUnproven, maxBundle)
	}
	text := strings.TrimSpace(string(proof))
	if strings.HasPrefix(text, "{") {
		var b struct {
			bundleJSON
			Base64Signature string `json:"base64Signature"`
		}
		if err := json.Unmarshal(proof, &b); err != nil {
			return nil, fmt.Errorf("%w: the proof cannot be read: %w", registry.ErrUnproven, err)
		}
		if len(b.Signature.Signature) > 0 {
			return b.Signature.Signature, nil
		}
		text = b.Base64Signature
	}
	signature, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(signature) == 0 {
		return nil, fmt.Errorf("%w: the proof holds no signature", registry.ErrUnproven)
	}
	return signature, nil
}

// OpenKey returns a private key as SignWithKey takes it. Those of cosign are encrypted; password
// is asked for only then.
func OpenKey(text []byte, password func() ([]byte, error)) ([]byte, error) {
	block, _ := pem.Decode(text)
	if block == nil || !strings.HasPrefix(block.Type, "ENCRYPTED ") {
		return text, nil
	}
	if block.Type != "ENCRYPTED SIGSTORE PRIVATE KEY" && block.Type != "ENCRYPTED COSIGN PRIVATE KEY" {
		return nil, fmt.Errorf("the key file holds an %q, which is not read: make a key with `agora keys generate` or `cosign generate-key-pair`", block.Type)
	}
	secret, err := password()
	if err != nil {
		return nil, err
	}
	der, err := encrypted.Decrypt(block.Bytes, secret)
	if err != nil {
		return nil, errors.New("the key file cannot be decrypted: is COSIGN_PASSWORD its password?")
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// PublicOf is the public half of a private key, as PEM.
func PublicOf(private []byte) ([]byte, error) {
	key, err := privateKey(private)
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}), nil
}
