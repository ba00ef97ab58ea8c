package boltstore

import "github.com/agora-host/agora/triggers"

func pauseKey(r triggers.Ref) []byte { return key(r.App, string(r.Kind), r.Name) }

// Pauses lists an app's triggers that are paused.
func (t *reader) Pauses(app string) ([]triggers.Pause, error) {
	return all[triggers.Pause](t, bPauses, within(app))
}

// PutPause stores a pause.
func (t *transaction) PutPause(p triggers.Pause) error { return put(t.w, bPauses, pauseKey(p.Ref), p) }

// DeletePause forgets a pause, if there is one.
func (t *transaction) DeletePause(r triggers.Ref) error { return t.w.remove(bPauses, pauseKey(r)) }
