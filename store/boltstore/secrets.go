package boltstore

import (
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
)

// Secret reads a sealed secret.
func (t *reader) Secret(app, name string) (secrets.Secret, error) {
	return get[secrets.Secret](t.tx, bSecrets, key(app, name), secrets.ErrNotFound)
}

// Secrets lists the sealed secrets of one app or, for "", of all.
func (t *reader) Secrets(app string) ([]secrets.Secret, error) {
	var prefix []byte
	if app != "" {
		prefix = key(app, "")
	}
	return all[secrets.Secret](t, bSecrets, prefix)
}

// SecretsPart lists a part of the sealed secrets of an app, by name.
func (t *reader) SecretsPart(app string, p state.Part) ([]secrets.Secret, []byte, error) {
	return page[secrets.Secret](t, bSecrets, key(app, ""), p, false, nil)
}

// PutSecret stores a sealed secret.
func (t *transaction) PutSecret(s secrets.Secret) error {
	return put(t.w, bSecrets, key(s.App, s.Name), s)
}

// DeleteSecret forgets a secret.
func (t *transaction) DeleteSecret(app, name string) error {
	if _, err := t.Secret(app, name); err != nil {
		return err
	}
	return t.w.remove(bSecrets, key(app, name))
}
