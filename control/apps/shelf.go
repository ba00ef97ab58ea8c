package apps

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// shelf keeps all apps in memory, ordered and ready to be searched: what people look for is spread
// over records, and reading all of those for each key that is typed would take too long. It is
// brought up to date, by the events since, whenever it is looked at. What was handed out is not changed.
type shelf struct {
	mu    sync.Mutex
	read  bool
	rev   abi.Rev // up to which it is up to date
	items []*registry.Listing
}

// look returns all apps, by title, at least as new as a transaction sees them.
func (s *shelf) look(tx state.Reader) ([]*registry.Listing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.read {
		err := s.fill(tx)
		return s.items, err
	}
	changed, anew, rev, err := changedSince(tx, s.rev)
	if err != nil {
		return nil, err
	}
	if anew {
		err := s.fill(tx)
		return s.items, err
	}
	if err := s.renew(tx, changed); err != nil {
		return nil, err
	}
	s.rev = rev
	return s.items, nil
}

// fill reads all apps.
func (s *shelf) fill(tx state.Reader) error {
	rev, err := revOf(tx)
	if err != nil {
		return err
	}
	apps, err := tx.Apps()
	if err != nil {
		return err
	}
	items := make([]*registry.Listing, len(apps))
	for i, app := range apps {
		if items[i], err = listingOf(tx, app); err != nil {
			return err
		}
	}
	slices.SortFunc(items, byPlace)
	s.items, s.read, s.rev = items, true, rev
	return nil
}

// renew reads the apps again that changed.
func (s *shelf) renew(tx state.Reader, changed map[string]bool) error {
	if len(changed) == 0 {
		return nil
	}
	items := slices.DeleteFunc(slices.Clone(s.items), func(l *registry.Listing) bool { return changed[l.App.Name] })
	for name := range changed {
		app, err := tx.App(name)
		if errors.Is(err, registry.ErrNotFound) {
			continue // it was deleted
		}
		if err != nil {
			return err
		}
		l, err := listingOf(tx, app)
		if err != nil {
			return err
		}
		items = append(items, l)
	}
	slices.SortFunc(items, byPlace)
	s.items = items
	return nil
}

func byPlace(a, b *registry.Listing) int { return cmp.Compare(a.Place(), b.Place()) }

// listingOf reads what an app is searched by: of the release that serves, or of the newest.
func listingOf(tx state.Reader, app registry.App) (*registry.Listing, error) {
	_, n, ok := app.Serving()
	if !ok {
		n = app.Releases
	}
	r, err := tx.Release(app.Name, n)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return nil, err
	}
	words := slices.AppendSeq(slices.Clone(r.Capabilities), maps.Keys(r.Manifest.Capabilities))
	slices.Sort(words)
	l := registry.NewListing(app, slices.Compact(words))
	if r.Made != nil {
		l.Engine = r.Made.Version
	}
	return l, nil
}
