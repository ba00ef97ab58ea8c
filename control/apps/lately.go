package apps

import (
	"sync"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/rights"
)

// maxLately bounds how many grants are remembered, of all apps together.
const maxLately = 4000

// lately remembers the grants of apps that were looked at lately. An app whose every release was
// promoted has thousands, and to decode them is nearly all that a page of it costs. What is remembered
// of an app is dropped by the next event that names it, and each change of a grant has one; a
// transaction that is older than what is remembered reads for itself. What was handed out is not
// changed.
type lately struct {
	mu    sync.Mutex // guards all below
	rev   abi.Rev    // up to which it is up to date
	byApp map[string][]approvals.Grant
	held  int // grants
}

// grants returns an app's grants as a transaction sees them.
func (m *lately) grants(tx state.Reader, app string) ([]approvals.Grant, error) {
	rev, err := revOf(tx)
	if err != nil {
		return nil, err
	}
	found, known, err := m.find(tx, rev, app)
	if err != nil || known {
		return found, err
	}
	if found, err = rights.Grants(tx, app); err != nil {
		return nil, err
	}
	m.keep(rev, app, found)
	return found, nil
}

// find catches up with a transaction, and returns what is remembered.
func (m *lately) find(tx state.Reader, rev abi.Rev, app string) (found []approvals.Grant, known bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if rev < m.rev {
		return nil, false, nil
	}
	if rev > m.rev {
		changed, renamed, _, err := changedSince(tx, m.rev)
		if err != nil {
			return nil, false, err
		}
		for name := range m.byApp {
			if renamed || changed[name] {
				m.forget(name)
			}
		}
		m.rev = rev
	}
	found, known = m.byApp[app]
	return found, known, nil
}

// keep remembers what was read of a state, unless a later one was looked at meanwhile.
func (m *lately) keep(rev abi.Rev, app string, grants []approvals.Grant) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if rev != m.rev || len(grants) > maxLately {
		return
	}
	m.forget(app)
	for name := range m.byApp {
		if m.held+len(grants) <= maxLately && len(m.byApp) < maxLately {
			break
		}
		m.forget(name)
	}
	if m.byApp == nil {
		m.byApp = map[string][]approvals.Grant{}
	}
	m.byApp[app] = grants
	m.held += len(grants)
}

// forget drops what is remembered of an app; m.mu is held.
func (m *lately) forget(app string) {
	m.held -= len(m.byApp[app])
	delete(m.byApp, app)
}

// revOf returns the revision of the state that a transaction reads, as far as events tell it.
func revOf(tx state.Reader) (abi.Rev, error) {
	newest, _, err := tx.Events(state.EventQuery{Newest: true, Limit: 1}, nil)
	if err != nil || len(newest) == 0 {
		return 0, err
	}
	return newest[0].Rev, nil
}

// changedSince returns the apps that events after a revision name, whether a person was renamed, and
// the revision of the last event.
func changedSince(tx state.Reader, rev abi.Rev) (changed map[string]bool, renamed bool, last abi.Rev, err error) {
	changed = map[string]bool{}
	q := state.EventQuery{After: rev, Limit: 1000}
	for more := true; more; {
		events, next, err := tx.Events(q, nil)
		if err != nil {
			return nil, false, rev, err
		}
		for _, e := range events {
			rev = e.Rev
			if e.App != "" {
				changed[e.App] = true
			}
			renamed = renamed || e.Kind == "user.renamed" // whose apps that are, no event names
		}
		q.After, more = next, next > 0
	}
	return changed, renamed, rev, nil
}
