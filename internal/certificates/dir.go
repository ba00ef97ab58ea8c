package certificates

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/agora-host/agora/internal/durable"
)

// dir keeps what a directory issued: NAME.pem has the key and the chain of one name, and account.key
// the key of the node's account. Their names cannot be confused: a host's has a dot, and no
// top-level domain is called pem.
type dir string

const (
	accountFile = "account.key"
	pemSuffix   = ".pem"
)

// certificates returns what is kept, by name. A file that is damaged is as if it were not there: its
// certificate is ordered again.
func (d dir) certificates() (map[string]*tls.Certificate, error) {
	files, err := os.ReadDir(string(d))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	all := map[string]*tls.Certificate{}
	for _, f := range files {
		host, ok := strings.CutSuffix(f.Name(), pemSuffix)
		if name, err := canonical(host); !ok || err != nil || name != host {
			continue
		}
		b, err := readFile(filepath.Join(string(d), f.Name()))
		if err != nil {
			return nil, err
		}
		if pair, err := tls.X509KeyPair(b, b); err == nil && covers(pair.Leaf, host) {
			all[host] = &pair
		}
	}
	return all, nil
}

// keep keeps a certificate in place of the one of before.
func (d dir) keep(host string, c *tls.Certificate) error {
	var b bytes.Buffer
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return err
	}
	_ = pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for _, link := range c.Certificate {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: link})
	}
	if err := durable.Replace(string(d), filepath.Join(string(d), host+pemSuffix), b.Bytes()); err != nil {
		return fmt.Errorf("keep the certificate: %w", err)
	}
	return nil
}

// forget deletes what was issued for a name.
func (d dir) forget(host string) error {
	err := os.Remove(filepath.Join(string(d), host+pemSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, durable.SyncDir(string(d)))
}

// accountKey returns the key of the node's account. It is made when it is first asked for.
func (d dir) accountKey() (crypto.Signer, error) {
	path := filepath.Join(string(d), accountFile)
	b, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return d.newAccountKey(path)
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("%s holds no key: delete it, and the node makes another account", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s holds no key: delete it, and the node makes another account: %w", path, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s holds a key that cannot sign: delete it, and the node makes another account", path)
	}
	return signer, nil
}

func (d dir) newAccountKey(path string) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, durable.Replace(string(d), path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
