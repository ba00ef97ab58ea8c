package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/inbox"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/notices"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/statetest"
)

const ada, rex, eve = "ada@example.com", "rex@example.com", "eve@example.com"

var errDown = errors.New("down")

// world is a store, the way out, and what becomes of both.
type world struct {
	*statetest.Memory
	mu      sync.Mutex // guards all below
	down    bool       // nothing is taken
	forget  bool       // what was taken is not noted: the process is killed in between
	letters []notices.Letter
	calls   []notices.Call
}

func (w *world) out() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return errDown
	}
	return nil
}

type mailer struct{ *world }

func (m mailer) Send(_ context.Context, l notices.Letter) error {
	if err := m.out(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.letters = append(m.letters, l)
	return nil
}

type hook struct{ *world }

func (hook) Name() string    { return "siem" }
func (hook) Kinds() []string { return []string{"links.switched_on"} }
func (h hook) Send(_ context.Context, c notices.Call) error {
	if err := h.out(); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, c)
	return nil
}

// killed is the world's store for a process that is killed after what it sends has left.
type killed struct{ *world }

func (k killed) Note(ctx context.Context, change func(state.Notes) error) error {
	return k.Memory.Note(ctx, func(n state.Notes) error {
		return change(forgetful{n, k.world})
	})
}

type forgetful struct {
	state.Notes
	w *world
}

// DeleteDelivery fails as if the process had ended before.
func (f forgetful) DeleteDelivery(p notices.Place, id string) error {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	if f.w.forget {
		return errDown
	}
	return f.Notes.DeleteDelivery(p, id)
}

// process is one life of a node.
type process struct {
	service   *inbox.Service
	followers *state.Followers
	end       func()
}

func (w *world) begin(t testing.TB) *process {
	quiet := slog.New(slog.DiscardHandler)
	watch := calm.New(quiet)
	desk := &control.Desk{Store: killed{w}, Now: time.Now, Logger: quiet, Low: func() error { return nil }, Follow: func(context.Context, abi.Rev) error { return nil }}
	p := &process{service: inbox.New(inbox.Options{Desk: desk, ConsoleURL: func() string { return "https://agora.example.com" }, Mail: mailer{w}, Hooks: []inbox.Hook{hook{w}}, Watch: watch})}
	var err error
	if p.followers, err = state.NewFollowers(t.Context(), w, quiet, watch, func() {}); err == nil {
		err = p.followers.FollowDurably(t.Context(), inbox.Follower, p.service.Follow, p.service.Kinds()...)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { p.followers.Run(ctx) })
	running.Go(func() { p.service.Run(ctx) })
	p.end = func() { cancel(); running.Wait() }
	return p
}

func (w *world) change(t testing.TB, by, kind, subject string, more func(state.Tx) error) {
	_, err := w.Update(context.Background(), by, func(tx state.Tx) error {
		tx.Emit(kind, "", subject, map[string]string{"roles": "viewer"})
		if more == nil {
			return nil
		}
		return more(tx)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func newWorld(t testing.TB) *world {
	w := &world{Memory: statetest.NewMemory(time.Now)}
	for _, u := range []access.User{{Name: ada}, {Name: rex, Roles: []access.Role{access.RoleOperator}}, {Name: eve, Disabled: true}, {Name: "bot@example.com", Sponsor: ada}} {
		w.change(t, "node", "user.provisioned", u.Name, func(tx state.Tx) error { return tx.PutUser(u) })
	}
	return w
}

// TestNothingIsLost: whatever is down and killed and when, each notice is made once, is in at least one
// mail, and each event is called at least once; what is sent again has the same id. When all is well again
// nothing waits.
func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		acts := rapid.SliceOfN(rapid.SampledFrom([]string{"change", "change", "switch", "down", "up", "forget", "kill", "minute", "hour", "quiet"}), 1, 20).Draw(rt, "acts")
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			p := w.begin(t)
			changed, switched := 0, 0
			for _, act := range acts {
				switch act {
				case "change":
					w.change(t, rex, "user.changed", ada, nil)
					changed++
				case "switch":
					w.change(t, "node", "links.switched_on", "", nil)
					switched++
				case "down", "up":
					w.set(act == "down", w.forget)
				case "forget":
					w.set(w.down, true)
				case "kill":
					p.end()
					w.set(w.down, false)
					p = w.begin(t)
				case "minute":
					time.Sleep(time.Minute)
				case "hour":
					time.Sleep(time.Hour)
				case "quiet":
					w.change(t, ada, "user.notices_set", ada, func(tx state.Tx) error {
						return tx.PutNoticeSettings(notices.Settings{Person: ada, QuietFrom: "22:00", QuietTo: "07:00", Zone: "Europe/Berlin"})
					})
				}
			}
			p.end()
			w.set(false, false)
			p = w.begin(t)
			time.Sleep(11 * time.Hour)
			p.end()
			w.judge(t, p, changed, switched)
		})
	})
}

func (w *world) set(down, forget bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down, w.forget = down, forget
}

// judge compares what came with what happened.
func (w *world) judge(t *testing.T, p *process, changed, switched int) {
	for person, want := range map[string]int{ada: changed, rex: switched} {
		all, err := p.service.Notices(access.WithActor(t.Context(), access.Actor{User: person}), control.NoticeFilter{}, control.Page{Limit: 200})
		if err != nil || len(all.Items) != want {
			t.Fatalf("%s has %d notices of %d changes (%v)", person, len(all.Items), want, err)
		}
	}
	told, texts := 0, map[string]string{}
	for _, l := range w.letters {
		if was, again := texts[l.ID]; again {
			if was != l.Text {
				t.Fatalf("a mail was sent again with another text:\n%s\n%s", was, l.Text)
			}
			continue
		}
		texts[l.ID] = l.Text
		told += strings.Count(l.Text, "changed the roles") + strings.Count(l.Text, "switched one-time")
		if l.To == eve || l.To == "bot@example.com" {
			t.Fatalf("mail to %s", l.To)
		}
	}
	calls := map[string]bool{}
	for _, c := range w.calls {
		calls[c.ID] = true
	}
	if told != changed+switched || len(calls) != switched {
		t.Fatalf("mails tell of %d of %d, and %d of %d were called", told, changed+switched, len(calls), switched)
	}
	lanes, err := p.service.Deliveries(t.Context())
	if got := fmt.Sprint(lanes[0].Waiting, lanes[1].Waiting, lanes[0].Undelivered, lanes[1].Undelivered); err != nil || got != "0 0 0 0" {
		t.Fatalf("%s (%v)", got, err)
	}
}

// TestBounds: the oldest of too many notices go, and what is old goes by itself; what cannot be sent for days
// is given up, is counted, and is forgotten in the end.
func TestBounds(t *testing.T) {
	if testing.Short() {
		t.Skip("a thousand notices are counted in the whole run")
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.set(true, false)
		p := w.begin(t)
		for range notices.MaxKept + 20 {
			w.change(t, rex, "user.changed", ada, nil)
		}
		synctest.Wait()
		count := func(kind state.CountKind, of string) (n int64) {
			if err := w.View(t.Context(), func(r state.Reader) error {
				c, err := r.Count(kind, of)
				n = c.N
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := count(state.CountNotices, ada); n != notices.MaxKept {
			t.Errorf("%d notices are kept", n)
		}
		time.Sleep(notices.Lasts + time.Hour)
		if dead, waiting := count(state.CountUndelivered, "mail"), count(state.CountWaiting, "mail"); dead == 0 || waiting != 0 {
			t.Errorf("%d mails were given up, and %d wait", dead, waiting)
		}
		p.end()
		time.Sleep(notices.KeptFor)
		if err := p.service.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, dead := count(state.CountNotices, ada), count(state.CountUndelivered, "mail"); n != 0 || dead != 0 {
			t.Errorf("%d notices and %d deliveries are kept for ever", n, dead)
		}
	})
}
