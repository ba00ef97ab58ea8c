package boltstore

import (
	"github.com/agora-host/agora/secrets"
)

var _ secrets.Tx = (*Tx)(nil)

// Secret reads a sealed secret.
func (t *Tx) Secret(app, name string) (secrets.Secret, error) {
	return get[secrets.Secret](t.tx, bSecrets, key(app, name), secrets.ErrNotFound)
}

// Secrets lists the sealed secrets of one app or, for "", of all.
func (t *Tx) Secrets(app string) ([]secrets.Secret, error) {
	var prefix []byte
	if app != "" {
		prefix = key(app, "")
	}
	return list[secrets.Secret](t.tx, bSecrets, prefix)
}

// PutSecret stores a sealed secret.
func (t *Tx) PutSecret(s secrets.Secret) error { return put(t.w, bSecrets, key(s.App, s.Name), s) }

// DeleteSecret forgets a secret.
func (t *Tx) DeleteSecret(app, name string) error {
	if _, err := t.Secret(app, name); err != nil {
		return err
	}
	return t.w.remove(bSecrets, key(app, name))
}
