package sigstore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/digitorus/timestamp"
	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/agora-host/agora/internal/durable"
	"github.com/agora-host/agora/registry"
)

// Issuer is what the embedded authority's certificates name as the issuer of an
// identity: the sign-in of this node.
const Issuer = "urn:agora:local"

// leafLife is how long a certificate may be used to sign.
const leafLife = 10 * time.Minute

// Object identifiers of Fulcio's certificate extensions
// (github.com/sigstore/fulcio, docs/oid-info.md).
var (
	oidIssuer   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1} // raw text
	oidIssuerV2 = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8} // DER UTF8String
	oidPolicy   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2}
	oidEKU      = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidStamping = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}
)

// Authority is the embedded trust root.
type Authority struct {
	now      func() time.Time
	caKey    *ecdsa.PrivateKey
	ca       *x509.Certificate
	stampKey *ecdsa.PrivateKey
	stamp    *x509.Certificate
	stampCA  *x509.Certificate
}

// OpenAuthority loads the trust root of a directory, or makes one. The
// directory becomes readable for this user alone.
func OpenAuthority(dir string, now func() time.Time) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "authority.pem")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		a, err := makeAuthority(now)
		if err != nil {
			return nil, err
		}
		return a, a.save(path)
	}
	if err != nil {
		return nil, err
	}
	a := &Authority{now: now}
	if err := a.load(text); err != nil {
		return nil, fmt.Errorf("%s: %w: restore it from a backup; without it, what it certified no longer verifies", path, err)
	}
	return a, nil
}

func makeAuthority(now func() time.Time) (*Authority, error) {
	a := &Authority{now: now}
	keys := make([]*ecdsa.PrivateKey, 3)
	for i := range keys {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		keys[i] = k
	}
	a.caKey, a.stampKey = keys[0], keys[1]
	start := now().Add(-time.Minute)
	authority := func(name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: serial(), Subject: pkix.Name{CommonName: name, Organization: []string{"agora"}},
			NotBefore: start, NotAfter: start.AddDate(20, 0, 0), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
			KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		}
	}
	var err error
	ca := authority("agora code signing")
	if a.ca, err = issue(ca, ca, keys[0].Public(), keys[0]); err != nil {
		return nil, err
	}
	stampCA := authority("agora timestamps root")
	if a.stampCA, err = issue(stampCA, stampCA, keys[2].Public(), keys[2]); err != nil {
		return nil, err
	}
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{oidStamping})
	if err != nil {
		return nil, err
	}
	// RFC 3161 section 2.3: timeStamping is the only extended usage, and critical.
	leaf := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "agora timestamps", Organization: []string{"agora"}},
		NotBefore: start, NotAfter: start.AddDate(19, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: oidEKU, Critical: true, Value: usage}},
	}
	// The root's key is used this once and forgotten.
	a.stamp, err = issue(leaf, a.stampCA, a.stampKey.Public(), keys[2])
	return a, err
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 150))
	if err != nil {
		panic("BUG: the system's randomness failed: " + err.Error())
	}
	return n
}

func issue(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// save writes everything into one file, durably, so that no half is ever there.
func (a *Authority) save(path string) error {
	var text []byte
	for _, k := range []*ecdsa.PrivateKey{a.caKey, a.stampKey} {
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			return err
		}
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	}
	for _, c := range []*x509.Certificate{a.ca, a.stamp, a.stampCA} {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return durable.Replace(filepath.Dir(path), path, text)
}

func (a *Authority) load(text []byte) error {
	var keys []*ecdsa.PrivateKey
	var certs []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return err
			}
			certs = append(certs, c)
			continue
		}
		k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return err
		}
		if k, ok := k.(*ecdsa.PrivateKey); ok {
			keys = append(keys, k)
		}
	}
	if len(keys) != 2 || len(certs) != 3 || !keys[0].PublicKey.Equal(certs[0].PublicKey) || !keys[1].PublicKey.Equal(certs[1].PublicKey) {
		return errors.New("the file is damaged")
	}
	// A bit that changed in what no one compares would show up elsewhere, much later.
	if err := errors.Join(certs[0].CheckSignatureFrom(certs[0]), certs[1].CheckSignatureFrom(certs[2]), certs[2].CheckSignatureFrom(certs[2])); err != nil {
		return fmt.Errorf("the file is damaged: %w", err)
	}
	a.caKey, a.stampKey, a.ca, a.stamp, a.stampCA = keys[0], keys[1], certs[0], certs[1], certs[2]
	return nil
}

// identityForm keeps out what a regular expression, a log or a certificate could
// misread.
var identityForm = regexp.MustCompile(`\A[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,190}\z`)

// Certify returns a certificate (PEM, leaf then root) for an identity and the
// key that signed the PKCS #10 request (DER). What the request says about its
// subject is ignored.
func (a *Authority) Certify(csr []byte, identity string) ([]byte, error) {
	request, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, fmt.Errorf("%w: the certificate request cannot be read: %w", registry.ErrBadSignature, err)
	}
	if err := request.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: the certificate request is not signed by its own key: %w", registry.ErrBadSignature, err)
	}
	if !identityForm.MatchString(identity) {
		return nil, fmt.Errorf("%w: %q is no identity that can be certified", registry.ErrUntrusted, identity)
	}
	leaf, err := a.leaf(request.PublicKey, x509.Certificate{EmailAddresses: []string{identity}})
	if err != nil {
		return nil, err
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf})
	return append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.ca.Raw})...), nil
}

// leaf certifies a key for the names in a template.
func (a *Authority) leaf(public any, of x509.Certificate) ([]byte, error) {
	key, ok := public.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: only ECDSA P-256 keys are certified", registry.ErrBadSignature)
	}
	issuerV2, err := asn1.MarshalWithParams(Issuer, "utf8")
	if err != nil {
		return nil, err
	}
	now := a.now()
	of.SerialNumber, of.NotBefore, of.NotAfter = serial(), now.Add(-time.Minute), now.Add(leafLife)
	of.KeyUsage, of.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	of.ExtraExtensions = []pkix.Extension{{Id: oidIssuer, Value: []byte(Issuer)}, {Id: oidIssuerV2, Value: issuerV2}}
	return x509.CreateCertificate(rand.Reader, &of, a.ca, key, a.caKey)
}

// Timestamp serves an RFC 3161 request. Anybody may have a timestamp: it
// proves nothing but that something existed.
func (a *Authority) Timestamp(request []byte) ([]byte, error) {
	if len(request) > 4096 {
		return nil, fmt.Errorf("%w: the timestamp request is too large", registry.ErrBadSignature)
	}
	r, err := timestamp.ParseRequest(request)
	if err != nil || r.HashAlgorithm != crypto.SHA256 || len(r.HashedMessage) != 32 {
		return nil, fmt.Errorf("%w: the timestamp request cannot be read; it must carry a SHA-256 digest", registry.ErrBadSignature)
	}
	t := timestamp.Timestamp{
		HashAlgorithm: r.HashAlgorithm, HashedMessage: r.HashedMessage, Time: a.now(), Nonce: r.Nonce,
		Policy: oidPolicy, AddTSACertificate: r.Certificates, Accuracy: time.Second,
	}
	return t.CreateResponseWithOpts(a.stamp, a.stampKey, crypto.SHA256)
}

// TrustedRootJSON is what a verifier of this node's signatures has to know.
func (a *Authority) TrustedRootJSON() ([]byte, error) {
	r, err := root.NewTrustedRoot(root.TrustedRootMediaType01,
		[]root.CertificateAuthority{&root.FulcioCertificateAuthority{Root: a.ca, ValidityPeriodStart: a.ca.NotBefore, URI: Issuer}}, nil,
		[]root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{Root: a.stampCA, Leaf: a.stamp, ValidityPeriodStart: a.stamp.NotBefore, URI: Issuer}}, nil)
	if err != nil {
		return nil, err
	}
	return r.MarshalJSON()
}
