package registrytest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/registry"
)

// Store is a backend under test.
type Store interface {
	Update(change func(registry.Tx) error) error
	View(read func(registry.Tx) error) error
}

var errUndo = errors.New("undo")

// TestStore is what every backend must do: the same as Memory, whatever is done
// to both, and nothing at all when an update fails. open answers an empty store.
func TestStore(t *testing.T, open func() (s Store, done func())) {
	rapid.Check(t, func(rt *rapid.T) {
		s, done := open()
		defer done()
		model := &Memory{}
		rt.Repeat(map[string]func(*rapid.T){
			"update": func(rt *rapid.T) {
				acts := rapid.SliceOfN(rapid.Custom(drawAct), 1, 5).Draw(rt, "acts")
				undo := rapid.Bool().Draw(rt, "undo")
				run := func(tx registry.Tx) (said string, err error) {
					for _, a := range acts {
						said += a.do(tx) + "\n"
					}
					if undo {
						err = errUndo
					}
					return said, err
				}
				var want, got string
				wantErr := model.Update(func(tx registry.Tx) (err error) { want, err = run(tx); return err })
				gotErr := s.Update(func(tx registry.Tx) (err error) { got, err = run(tx); return err })
				if got != want || !errors.Is(gotErr, wantErr) {
					rt.Fatalf("the store said\n%s%v\nthe model said\n%s%v", got, gotErr, want, wantErr)
				}
			},
			"": func(rt *rapid.T) {
				var want, got string
				if err := errors.Join(
					model.View(func(tx registry.Tx) error { want = everything(tx); return nil }),
					s.View(func(tx registry.Tx) error { got = everything(tx); return nil })); err != nil {
					rt.Fatal(err)
				}
				if got != want {
					rt.Fatalf("the store has\n%s\nthe model has\n%s", got, want)
				}
			},
		})
	})
}

// act is one call of a Tx.
type act struct {
	What   string
	App    string
	Number int
	Tier   abi.Tier
	Text   string
}

func drawAct(t *rapid.T) act {
	return act{
		What: rapid.SampledFrom([]string{"app", "release", "unrelease", "activation", "key", "unkey", "read"}).Draw(t, "what"),
		// Names of which one is the beginning of another: a prefix is not a match.
		App:    rapid.SampledFrom([]string{"a", "ab", "a-b", "b"}).Draw(t, "app"),
		Number: rapid.IntRange(1, 12).Draw(t, "number"), // 10 sorts after 9
		Tier:   rapid.SampledFrom(abi.Tiers()).Draw(t, "tier"),
		Text:   rapid.SampledFrom([]string{"x", "<&\x00é", ""}).Draw(t, "text"),
	}
}

func (a act) do(tx registry.Tx) string {
	at := time.Date(2026, 1, 1, 0, 0, a.Number, 0, time.UTC)
	switch a.What {
	case "app":
		return said(nil, tx.PutApp(registry.App{Name: a.App, Title: a.Text, Created: at, Releases: a.Number, Active: map[abi.Tier]int{a.Tier: a.Number}}))
	case "release":
		return said(nil, tx.AddRelease(registry.Release{App: a.App, Number: a.Number, Version: a.Text, Created: at, Manifest: registry.Manifest{Name: a.App, Config: map[string]string{"k": a.Text}}}))
	case "unrelease":
		return said(nil, tx.DeleteRelease(a.App, a.Number))
	case "activation":
		return said(nil, tx.AddActivation(registry.Activation{App: a.App, Tier: a.Tier, Release: a.Number, Reason: a.Text, At: at}))
	case "key":
		return said(nil, tx.PutKey(registry.Key{Hint: a.App + "/+=", Identity: a.Text, Added: at}))
	case "unkey":
		return said(nil, tx.DeleteKey(a.App+"/+="))
	}
	app, err := tx.App(a.App)
	release, releaseErr := tx.Release(a.App, a.Number)
	key, keyErr := tx.Key(a.App + "/+=")
	return said(app, err) + said(release, releaseErr) + said(key, keyErr)
}

// said writes an answer so that two backends can be compared: errors by what
// they are, values by what is in them.
func said(v any, err error) string {
	for _, known := range []error{registry.ErrNotFound, registry.ErrExists} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if err != nil {
		return "unexpected: " + err.Error()
	}
	return fmt.Sprintf("%+v", v)
}

func everything(tx registry.Tx) string {
	apps, err := tx.Apps()
	text := list(apps, err)
	for _, name := range []string{"a", "ab", "a-b", "b", "absent"} {
		releases, err := tx.Releases(name)
		text += name + " " + list(releases, err)
		activations, err := tx.Activations(name)
		text += list(activations, err)
	}
	keys, err := tx.Keys()
	return text + list(keys, err)
}

// list writes a list; none and nil are the same.
func list[T any](all []T, err error) string {
	text := ""
	for _, v := range all {
		text += said(v, nil) + "\n"
	}
	if err != nil {
		text += said(nil, err)
	}
	return text
}
