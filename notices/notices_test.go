package notices_test

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/notices"
)

var placeholder = regexp.MustCompile(`\{([^}]*)\}`)

// TestEveryKind: each kind of events is in the table or says why no person is told, and is not in both;
// what a row writes into its texts is in the events of its kind.
func TestEveryKind(t *testing.T) {
	known := map[string]abi.EventKind{}
	for _, k := range abi.EventKinds() {
		known[k.Kind] = k
		if rows, why := notices.RowsOf(k.Kind), notices.Silent(k.Kind); (len(rows) > 0) == (why != "") {
			t.Errorf("%s has %d rows in the table of notices, and the reason %q to have none: say to whom it is told, or why to no one", k.Kind, len(rows), why)
		}
	}
	seen := map[string]bool{}
	for _, r := range notices.Rows() {
		k, ok := known[r.Kind]
		if !ok {
			t.Errorf("%s is no kind of events", r.Kind)
		}
		if key := r.Kind + string(r.To); seen[key] {
			t.Errorf("%s has two rows for %s", r.Kind, r.To)
		} else {
			seen[key] = true
		}
		if !strings.HasPrefix(r.At, "/") || strings.HasPrefix(r.At, "//") || r.Do == "" || strings.HasSuffix(r.Says, ".") || strings.HasSuffix(r.Do, ".") {
			t.Errorf("%+v", r)
		}
		own := []string{"actor", "app", "subject"}
		if slices.Contains(k.Detail, "kind") {
			own = append(own, "what")
		}
		for _, m := range placeholder.FindAllStringSubmatch(r.Says+r.Do+r.At, -1) {
			if !slices.Contains(own, m[1]) && !slices.Contains(k.Detail, m[1]) {
				t.Errorf("%s has no %q, which its notices tell", r.Kind, m[1])
			}
		}
	}
	for _, k := range []string{"no.such", ""} {
		if n := (notices.Notice{Event: abi.Event{Kind: k, Actor: "ada"}}); !strings.HasPrefix(n.Say(), "ada ") || n.Link() != "/activity" || n.Todo() == "" {
			t.Errorf("%q %q %q", n.Say(), n.Todo(), n.Link())
		}
	}
}

// TestWords: whatever people write, a notice is one line of characters that are shown, bounded, and leads
// to a page of the console.
func TestWords(t *testing.T) {
	evil := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"x\r\nBcc: all@example.com", "\u202egnp.exe", "\x1b[31mred", "//evil.example/", "..", "{actor}", "[x]", "\xff\xfe", strings.Repeat("é", 10_000), "<script>alert(1)</script>", "=cmd|' /C calc'!A0"}))
	rapid.Check(t, func(rt *rapid.T) {
		r := rapid.SampledFrom(notices.Rows()).Draw(rt, "row")
		e := abi.Event{Kind: r.Kind, Actor: evil.Draw(rt, "actor"), App: evil.Draw(rt, "app"), Subject: evil.Draw(rt, "subject"), Detail: map[string]string{}}
		for _, k := range abi.EventKindNamed(r.Kind).Detail {
			e.Detail[k] = evil.Draw(rt, k)
		}
		n := notices.Notice{To: r.To, Event: e}
		for _, text := range []string{n.Say(), n.Todo(), n.Link()} {
			if strings.ContainsFunc(text, func(c rune) bool { return c != ' ' && (unicode.IsSpace(c) || !unicode.IsPrint(c)) }) || len(text) > 20_000 {
				rt.Fatalf("%q", text)
			}
		}
		if u, err := url.Parse("https://agora.example.com" + n.Link()); err != nil || u.Host != "agora.example.com" || u.User != nil {
			rt.Fatalf("%q leads to %v, %v", n.Link(), u, err)
		}
	})
	n := notices.Notice{To: notices.Deciders, Event: abi.Event{Kind: "request.opened", Actor: "ada", App: "shop", Subject: "req-1", Detail: map[string]string{"kind": "promotion", "tier": "pilot", "release": "3"}}}
	if n.Say() != "ada asks for release 3 in pilot for shop" || n.Link() != "/requests#req-1" {
		t.Errorf("%q %q", n.Say(), n.Link())
	}
}

// TestDue: mail is never due in quiet hours nor in the past; a daily one comes when the clock of its
// person shows the time, whatever zone that is and whatever is done to its clocks.
func TestDue(t *testing.T) {
	clock := rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf("%02d:%02d", rapid.IntRange(0, 23).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute"))
	})
	rapid.Check(t, func(rt *rapid.T) {
		zone := rapid.SampledFrom([]string{"", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Kiritimati"}).Draw(rt, "zone")
		s := notices.Settings{Mail: rapid.SampledFrom([]notices.Pace{"", notices.AtOnce, notices.Daily}).Draw(rt, "mail"), Zone: zone, Daily: clock.Draw(rt, "daily")}
		if rapid.Bool().Draw(rt, "quiet") {
			s.QuietFrom, s.QuietTo = clock.Draw(rt, "from"), clock.Draw(rt, "to")
		}
		if err := s.Check(); err != nil {
			if s.QuietFrom != s.QuietTo {
				rt.Fatal(err)
			}
			return
		}
		now := time.Unix(rapid.Int64Range(1_700_000_000, 1_800_000_000).Draw(rt, "now"), 0)
		due := s.Due(now, time.Minute)
		if !due.After(now) || due.Sub(now) > 51*time.Hour {
			rt.Fatalf("%+v: at %s mail is due at %s", s, now, due)
		}
		if again := s.Awake(due); !again.Equal(due) {
			rt.Fatalf("%+v: mail is due at %s, which is quiet until %s", s, due, again)
		}
		where, _ := time.LoadLocation(zone)
		if shown := due.In(where).Format("15:04"); s.Mail == notices.Daily && s.QuietFrom == "" && shown != s.Daily {
			if due.In(where).YearDay() == due.Add(-4*time.Hour).In(where).YearDay() && !changed(due, where) {
				rt.Fatalf("%+v: due at %s", s, shown)
			}
		}
	})
}

// changed reports whether a zone's clocks are changed on the day of a moment.
func changed(at time.Time, where *time.Location) bool {
	_, before := at.Add(-24 * time.Hour).In(where).Zone()
	_, after := at.Add(24 * time.Hour).In(where).Zone()
	return before != after
}

// TestDeliveryEnds: a delivery is tried for days, with pauses that grow, and is given up then, or sooner
// if it alone is refused; what another machine said is bounded.
func TestDeliveryEnds(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	d := notices.Delivery{Place: notices.Place{Channel: notices.Mail, To: "ada"}, Created: now, Due: now}
	last := time.Duration(0)
	for d.Dead.IsZero() {
		d = d.Begun(now)
		if pause := d.Due.Sub(now); pause < last || pause > time.Hour {
			t.Fatalf("try %d is followed by a pause of %s", d.Tries, pause)
		} else {
			last = pause
		}
		d = d.Failed(errors.New("down\r\n"+strings.Repeat("x", 5000)), now)
		now = d.Due
	}
	if days := d.Dead.Sub(d.Created); days < 3*24*time.Hour || days > 3*24*time.Hour+time.Hour || d.Tries < 100 || d.Tries > 200 || len(d.Error) > 400 || strings.Contains(d.Error, "\n") {
		t.Errorf("%+v", d)
	}
	refused := &notices.RefusedError{Err: errors.New("no such person")}
	for after, dead := range map[time.Duration]bool{time.Hour: false, 25 * time.Hour: true} {
		if d := (notices.Delivery{Created: now}).Failed(refused, now.Add(after)); d.Dead.IsZero() == dead {
			t.Errorf("refused for %s: %+v", after, d)
		}
	}
}
