package registrytest

import (
	"cmp"
	"maps"
	"slices"

	"github.com/agora-host/agora/registry"
)

// Memory is a store in maps: what every backend must be indistinguishable from.
// An Update that fails leaves it as it was. Not safe for concurrent use.
type Memory struct{ state memory }

type memory struct {
	apps        map[string]registry.App
	releases    map[string][]registry.Release // oldest first
	activations map[string][]registry.Activation
	keys        map[string]registry.Key
}

func (m memory) clone() memory {
	c := memory{maps.Clone(m.apps), map[string][]registry.Release{}, map[string][]registry.Activation{}, maps.Clone(m.keys)}
	for app, r := range m.releases {
		c.releases[app] = slices.Clone(r)
	}
	for app, a := range m.activations {
		c.activations[app] = slices.Clone(a)
	}
	if c.apps == nil {
		c.apps, c.keys = map[string]registry.App{}, map[string]registry.Key{}
	}
	return c
}

// Update changes everything or nothing.
func (m *Memory) Update(change func(registry.Tx) error) error {
	next := m.state.clone()
	if err := change(&next); err != nil {
		return err
	}
	m.state = next
	return nil
}

// View reads.
func (m *Memory) View(read func(registry.Tx) error) error {
	seen := m.state.clone()
	return read(&seen)
}

func (m *memory) App(name string) (registry.App, error) {
	a, ok := m.apps[name]
	if !ok {
		return a, registry.ErrNotFound
	}
	a.Active = maps.Clone(a.Active)
	return a, nil
}

func (m *memory) Apps() ([]registry.App, error) {
	all := []registry.App{}
	for _, name := range slices.Sorted(maps.Keys(m.apps)) {
		a, _ := m.App(name)
		all = append(all, a)
	}
	return all, nil
}

func (m *memory) PutApp(a registry.App) error {
	a.Active = maps.Clone(a.Active)
	m.apps[a.Name] = a
	return nil
}

func (m *memory) Release(app string, number int) (registry.Release, error) {
	for _, r := range m.releases[app] {
		if r.Number == number {
			return r, nil
		}
	}
	return registry.Release{}, registry.ErrNotFound
}

func (m *memory) Releases(app string) ([]registry.Release, error) {
	all := slices.Clone(m.releases[app])
	slices.SortFunc(all, func(a, b registry.Release) int { return cmp.Compare(b.Number, a.Number) })
	return all, nil
}

func (m *memory) AddRelease(r registry.Release) error {
	if _, err := m.Release(r.App, r.Number); err == nil {
		return registry.ErrExists
	}
	m.releases[r.App] = append(m.releases[r.App], r)
	return nil
}

func (m *memory) DeleteRelease(app string, number int) error {
	i := slices.IndexFunc(m.releases[app], func(r registry.Release) bool { return r.Number == number })
	if i < 0 {
		return registry.ErrNotFound
	}
	m.releases[app] = slices.Delete(m.releases[app], i, i+1)
	return nil
}

func (m *memory) ChargeRelease(app string, number int, to string) error {
	i := slices.IndexFunc(m.releases[app], func(r registry.Release) bool { return r.Number == number })
	if i < 0 {
		return registry.ErrNotFound
	}
	m.releases[app] = slices.Clone(m.releases[app])
	m.releases[app][i].Charged = to
	return nil
}

func (m *memory) Activations(app string) ([]registry.Activation, error) {
	all := slices.Clone(m.activations[app])
	slices.Reverse(all)
	return all, nil
}

func (m *memory) AddActivation(a registry.Activation) error {
	m.activations[a.App] = append(m.activations[a.App], a)
	return nil
}

func (m *memory) Key(hint string) (registry.Key, error) {
	k, ok := m.keys[hint]
	if !ok {
		return k, registry.ErrNotFound
	}
	return k, nil
}

func (m *memory) Keys() ([]registry.Key, error) {
	all := []registry.Key{}
	for _, hint := range slices.Sorted(maps.Keys(m.keys)) {
		all = append(all, m.keys[hint])
	}
	return all, nil
}

func (m *memory) PutKey(k registry.Key) error {
	m.keys[k.Hint] = k
	return nil
}

func (m *memory) DeleteKey(hint string) error {
	if _, ok := m.keys[hint]; !ok {
		return registry.ErrNotFound
	}
	delete(m.keys, hint)
	return nil
}
