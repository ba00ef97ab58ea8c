package certificates

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"
)

// Pair names the files of a certificate, with those that issued it, and of its key, both in PEM.
type Pair struct{ Cert, Key string }

// largest is how much is read of a file.
const largest = 1 << 20

// file is a pair of files as it was last read.
type file struct {
	Pair
	cert    *tls.Certificate
	digest  [sha256.Size]byte // of the files that cert is of
	read    time.Time         // when it was taken into use
	broken  string            // why what the files hold now is not used
	looks   int               // how often in a row it was found so
	refused [sha256.Size]byte // what is broken
}

// load reads the pair. It returns the digest of the files also with an error, if they can be read.
func (p Pair) load(now time.Time) (*tls.Certificate, [sha256.Size]byte, error) {
	cert, err := readFile(p.Cert)
	if err != nil {
		return nil, [sha256.Size]byte{}, err
	}
	key, err := readFile(p.Key)
	if err != nil {
		return nil, [sha256.Size]byte{}, err
	}
	digest := sha256.Sum256(bytes.Join([][]byte{cert, key}, []byte{0}))
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, digest, fmt.Errorf("%s and %s are no pair: %w", p.Cert, p.Key, err)
	}
	if now.Before(pair.Leaf.NotBefore) {
		return nil, digest, fmt.Errorf("%s is valid from %s on, which is in the future", p.Cert, pair.Leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	if !names(pair.Leaf) {
		return nil, digest, fmt.Errorf("%s names no host: clients look at its subject alternative names alone", p.Cert)
	}
	return &pair, digest, nil
}

func names(leaf *x509.Certificate) bool { return len(leaf.DNSNames)+len(leaf.IPAddresses) > 0 }

func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file", name)
	case info.Size() > largest:
		return nil, fmt.Errorf("%s is larger than %d bytes: it is no certificate and no key", name, largest)
	}
	return os.ReadFile(name)
}

// look reads the files again, and takes what they hold into use if it is right. It reports
// whether anything is to be logged: a change, or why there is none.
func (f *file) look(now time.Time) (changed bool, trouble error) {
	cert, digest, err := f.load(now)
	switch {
	case err == nil && digest == f.digest:
		f.broken, f.looks = "", 0
		return false, nil
	case err == nil && f.cert != nil && now.After(cert.Leaf.NotAfter) && now.Before(f.cert.Leaf.NotAfter):
		err = fmt.Errorf("%s expired on %s, and the certificate in use has not", f.Cert, cert.Leaf.NotAfter.UTC().Format(time.DateOnly))
	}
	if err != nil {
		if f.broken == err.Error() && f.refused == digest {
			f.looks++
		} else {
			f.broken, f.refused, f.looks = err.Error(), digest, 1
		}
		if f.looks == 2 { // files that are being written one after the other are right at the next look
			return false, errors.New(f.broken)
		}
		return false, nil
	}
	f.cert, f.digest, f.read, f.broken, f.looks = cert, digest, now, "", 0
	return true, nil
}
