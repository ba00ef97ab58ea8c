package boltstore

import (
	"fmt"

	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// NextCertificate numbers certificates.
func (t *transaction) NextCertificate() (string, error) {
	n, err := t.w.next(bCertificates)
	return fmt.Sprintf("cert-%d", n), err
}

// certificateKey sorts cert-2 before cert-10.
func certificateKey(id string) []byte {
	var n uint64
	if _, err := fmt.Sscanf(id, "cert-%d", &n); err != nil || fmt.Sprintf("cert-%d", n) != id {
		return key("?", id)
	}
	return key(number(n))
}

// PutCertificate stores a certificate, which is never changed.
func (t *transaction) PutCertificate(c registry.Issued) error {
	return put(t.w, bCertificates, certificateKey(c.ID), c)
}

// Certificate reads one.
func (t registryReader) Certificate(id string) (registry.Issued, error) {
	return get[registry.Issued](t.in.tx, bCertificates, certificateKey(id), registry.ErrNotFound)
}

// LastCertificate reads the newest; registry.ErrNotFound if there is none.
func (t registryReader) LastCertificate() (registry.Issued, error) {
	found, _, err := t.in.CertificatesPart(state.Part{Limit: 1}, nil)
	if err == nil && len(found) == 0 {
		err = registry.ErrNotFound
	}
	if err != nil {
		return registry.Issued{}, err
	}
	return found[0], nil
}

// CertificatesPart lists a part of the certificates for which keep returns true, newest first.
func (t registryReader) CertificatesPart(p state.Part, keep func(registry.Issued) bool) ([]registry.Issued, []byte, error) {
	return page(t.in, bCertificates, nil, p, true, keep)
}
