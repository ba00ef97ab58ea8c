package apps_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/apps"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/persons"
	"github.com/agora-host/agora/state/statetest"
)

const ada, bob, ops = "ada@example.com", "bob@example.com", "ops@example.com"

// limits are a desk, and what the oracle knows of it: what was set, by whose it is, "" for all.
type limits struct {
	*apps.Quotas
	desk *control.Desk
	now  time.Time
	set  map[string]access.QuotaSetting
	apps map[string]int // by owner
}

func newLimits(t *testing.T, rt rapid.TB, atStart control.Quotas) *limits {
	l := &limits{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), set: map[string]access.QuotaSetting{}, apps: map[string]int{}}
	now := func() time.Time { return l.now }
	l.desk = &control.Desk{
		Store: persons.Over(statetest.Strict(t, statetest.NewMemory(now))), Now: now, Logger: slog.New(slog.DiscardHandler), Quotas: atStart,
		Low: func() error { return nil }, Follow: func(context.Context, abi.Rev) error { return nil },
	}
	l.Quotas = apps.NewQuotas(l.desk)
	_, err := l.desk.Update(t.Context(), "node", func(tx state.Tx) error {
		tx.Emit("user.changed", "", ada, nil)
		return errors.Join(tx.PutUser(access.User{ID: "u_ada", Name: ada}), tx.PutUser(access.User{ID: "u_bob", Name: bob}), tx.PutUser(access.User{ID: "u_ops", Name: ops}))
	})
	if err != nil {
		rt.Fatal(err)
	}
	return l
}

// want is how many apps the oracle allows a person, and who said so.
func (l *limits) want(person string) (int64, string) {
	for _, whose := range []string{person, ""} {
		if s, ok := l.set[whose]; ok && (s.Until.IsZero() || l.now.Before(s.Until)) {
			return s.Limit, map[bool]string{true: control.QuotaEverybody, false: control.QuotaOwn}[whose == ""]
		}
	}
	if n, ok := l.desk.Quotas["apps"]; ok {
		return n, control.QuotaAtStart
	}
	return 200, control.QuotaDefault
}

// TestQuotaSettings: whatever is set and cleared, and however time passes, a person's own quota comes
// before the one of all, that before the node's flag, and that before the default; and one app more is
// taken exactly where there is room.
func TestQuotaSettings(t *testing.T) {
	boss := access.WithActor(t.Context(), access.Actor{User: ops, Roles: []access.Role{access.RoleOperator}})
	rapid.Check(t, func(rt *rapid.T) {
		atStart := control.Quotas{}
		if rapid.Bool().Draw(rt, "flag") {
			atStart["apps"] = 2
		}
		l := newLimits(t, rt, atStart)
		for i := range rapid.IntRange(1, 25).Draw(rt, "steps") {
			person := rapid.SampledFrom([]string{ada, bob}).Draw(rt, "person")
			whose := rapid.SampledFrom([]string{person, ""}).Draw(rt, "whose")
			switch rapid.SampledFrom([]string{"set", "clear", "app", "app", "app", "time"}).Draw(rt, "act") {
			case "set":
				s := access.QuotaSetting{Limit: int64(rapid.IntRange(0, 4).Draw(rt, "limit"))}
				if rapid.Bool().Draw(rt, "ends") {
					s.Until = l.now.Add(time.Duration(rapid.IntRange(1, 3).Draw(rt, "hours")) * time.Hour)
				}
				if _, err := l.Set(boss, "apps", control.SetQuota{QuotaOf: control.QuotaOf{User: whose}, Limit: s.Limit, Until: s.Until, Reason: "x"}); err != nil {
					rt.Fatal(err)
				}
				l.set[whose] = s
			case "clear":
				_, err := l.Clear(boss, "apps", control.QuotaOf{User: whose})
				if _, was := l.set[whose]; was != (err == nil) || (err != nil && !errors.Is(err, access.ErrNoQuotaSetting)) {
					rt.Fatalf("set before: %v, cleared: %v", was, err)
				}
				delete(l.set, whose)
			case "app":
				_, err := l.desk.Update(t.Context(), person, func(tx state.Tx) error {
					tx.Emit("release.published", "a", "1", nil)
					return tx.PutApp(registry.App{Name: fmt.Sprint("a", i), Owner: person})
				})
				limit, _ := l.want(person)
				if room := int64(l.apps[person]) < limit; room != (err == nil) {
					rt.Fatalf("%d apps of %d: %v", l.apps[person], limit, err)
				}
				if over, is := errors.AsType[*control.OverQuota](err); err != nil && (!is || over.Quota.Of != person || over.Quota.Used != int64(l.apps[person]) || over.Quota.Limit != limit) {
					rt.Fatalf("refused with %+v", err)
				}
				if err == nil {
					l.apps[person]++
				}
			case "time":
				l.now = l.now.Add(time.Hour)
			}
			for _, of := range []string{ada, bob} {
				all, err := l.List(boss, control.QuotaOf{User: of})
				limit, from := l.want(of)
				if q := all[0]; err != nil || q.Name != "apps" || q.Limit != limit || q.From != from || (q.Set != nil) != (from == control.QuotaOwn || from == control.QuotaEverybody) || q.Used != int64(l.apps[of]) {
					rt.Fatalf("of %s: %+v, %v; want %d by %s", of, q, err, limit, from)
				}
			}
		}
	})
}

// TestSetQuotaRefuses: what makes no sense is not set, and operators alone set.
func TestSetQuotaRefuses(t *testing.T) {
	l := newLimits(t, t, nil)
	boss := access.WithActor(t.Context(), access.Actor{User: ops, Roles: []access.Role{access.RoleOperator}})
	for name, c := range map[string]struct {
		quota string
		to    control.SetQuota
		want  error
	}{
		"a quota that is not there": {"appz", control.SetQuota{Reason: "x"}, access.ErrNoQuota},
		"no reason":                 {"apps", control.SetQuota{}, access.ErrBadQuota},
		"less than nothing":         {"apps", control.SetQuota{Limit: -1, Reason: "x"}, access.ErrBadQuota},
		"more than there can be":    {"apps", control.SetQuota{Limit: 1 << 40, Reason: "x"}, access.ErrBadQuota},
		"an end in the past":        {"apps", control.SetQuota{Reason: "x", Until: l.now}, access.ErrBadQuota},
		"an app's, of a person":     {"app-releases", control.SetQuota{QuotaOf: control.QuotaOf{User: ada}, Reason: "x"}, access.ErrBadQuota},
		"the node's, of a person":   {"node-users", control.SetQuota{QuotaOf: control.QuotaOf{User: ada}, Reason: "x"}, access.ErrBadQuota},
		"of two":                    {"apps", control.SetQuota{QuotaOf: control.QuotaOf{User: ada, App: "a"}, Reason: "x"}, access.ErrBadQuota},
		"nobody":                    {"apps", control.SetQuota{QuotaOf: control.QuotaOf{User: "zoe@example.com"}, Reason: "x"}, access.ErrNoUser},
		"no app":                    {"app-releases", control.SetQuota{QuotaOf: control.QuotaOf{App: "a"}, Reason: "x"}, registry.ErrNoApp},
		"no group":                  {"group-people", control.SetQuota{QuotaOf: control.QuotaOf{Group: "a"}, Reason: "x"}, access.ErrNoGroup},
	} {
		if _, err := l.Set(boss, c.quota, c.to); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, role := range []access.Role{access.RoleDeveloper, access.RoleReviewer, access.RoleFinance, access.RoleAuditor} {
		as := access.WithActor(t.Context(), access.Actor{User: ada, Roles: []access.Role{role}})
		_, setErr := l.Set(as, "apps", control.SetQuota{Limit: 1000, Reason: "x"})
		_, clearErr := l.Clear(as, "apps", control.QuotaOf{})
		if !errors.Is(setErr, access.ErrForbidden) || !errors.Is(clearErr, access.ErrForbidden) {
			t.Errorf("%s: %v, %v", role, setErr, clearErr)
		}
	}
}
