package boltstore

import "github.com/agora-host/agora/registry"

var _ registry.HostNames = (*Tx)(nil)

// HostName reads whose host name it is.
func (t *Tx) HostName(host string) (registry.HostName, error) {
	return get[registry.HostName](t.tx, bHosts, key(host), registry.ErrNotFound)
}

// HostNames lists all.
func (t *Tx) HostNames() ([]registry.HostName, error) {
	return all[registry.HostName](t, bHosts, nil)
}

// HostNamesPart lists a part of the host names.
func (t *Tx) HostNamesPart(p Part) ([]registry.HostName, []byte, error) {
	return page[registry.HostName](t, bHosts, nil, p, false, nil)
}

// PutHostName stores one.
func (t *Tx) PutHostName(n registry.HostName) error { return put(t.w, bHosts, key(n.Host), n) }

// DeleteHostName forgets one.
func (t *Tx) DeleteHostName(host string) error {
	if _, err := t.HostName(host); err != nil {
		return err
	}
	return t.w.remove(bHosts, key(host))
}
