package boltstore

import (
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// HostName reads whose host name it is.
func (t registryReader) HostName(host string) (registry.HostName, error) {
	return get[registry.HostName](t.in.tx, bHosts, key(host), registry.ErrNotFound)
}

// HostNamesPart lists a part of the host names.
func (t registryReader) HostNamesPart(p state.Part) ([]registry.HostName, []byte, error) {
	return page[registry.HostName](t.in, bHosts, nil, p, false, nil)
}

// PutHostName stores one.
func (t *transaction) PutHostName(n registry.HostName) error { return put(t.w, bHosts, key(n.Host), n) }

// DeleteHostName forgets one.
func (t *transaction) DeleteHostName(host string) error {
	if _, err := t.HostName(host); err != nil {
		return err
	}
	return t.w.remove(bHosts, key(host))
}
