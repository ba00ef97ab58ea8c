package access_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
)

// TestLives walks a session through random uses and pauses beside a model that notes each use exactly: it never
// lasts longer than the model says, ends at most a note's exactness earlier, and is written seldom.
func TestLives(t *testing.T) {
	lives := access.Lives{Idle: 8 * time.Hour, Longest: 7 * 24 * time.Hour}
	r := rand.New(rand.NewPCG(14, 1))
	for range 300 {
		now := noon
		c := lives.Session(strings.Repeat("a", 64), "ada@x.y", access.Device{}, 0, now)
		last, writes := now, 0
		for {
			now = now.Add(time.Duration(r.Int64N(int64(9*time.Hour))) >> r.IntN(12))
			unused, old := now.Sub(last), now.Sub(noon)
			ended := c.Ended(now)
			if must := unused >= lives.Idle || old >= lives.Longest; must && !ended {
				t.Fatalf("unused for %s, %s old: it lasts", unused, old)
			}
			if ended {
				if unused < lives.Idle-5*time.Minute && old < lives.Longest {
					t.Fatalf("unused for %s, %s old: it has ended", unused, old)
				}
				break
			}
			last = now
			if at, _ := c.Note(now); !at.IsZero() {
				c.Used = at
				writes++
			}
		}
		if most := int(now.Sub(noon)/(5*time.Minute)) + 1; writes > most {
			t.Fatalf("%d writes in %s", writes, now.Sub(noon))
		}
	}
}

// TestNoteIsSoonNearTheEnd: a use that a session needs to go on is stored before it ends.
func TestNoteIsSoonNearTheEnd(t *testing.T) {
	c := access.Lives{Idle: time.Hour, Longest: 24 * time.Hour}.Session(strings.Repeat("a", 64), "ada@x.y", access.Device{}, 0, noon)
	for after, want := range map[time.Duration][2]bool{
		time.Minute: {false, false}, 5 * time.Minute: {true, false}, 58 * time.Minute: {true, false}, 59 * time.Minute: {true, true}, 59*time.Minute + 59*time.Second: {true, true},
	} {
		at, soon := c.Note(noon.Add(after))
		if got := [2]bool{!at.IsZero(), soon}; got != want {
			t.Errorf("after %s: noted and soon are %v, want %v", after, got, want)
		}
	}
}

// TestChildrenEnd: what a session made at apps' addresses is known no more once the session has ended, by
// itself too, and is forgotten with it.
func TestChildrenEnd(t *testing.T) {
	tx := newMemory()
	tx.users["ada@x.y"] = access.User{Name: "ada@x.y"}
	secret, hash := access.NewSecret(access.KindSession)
	session := access.Lives{}.Or().Session(hash, "ada@x.y", access.Device{}, 0, noon)
	verifier := strings.Repeat("v", 43)
	code, codeHash := access.NewSecret(access.KindCode)
	_, appHash := access.NewSecret(access.KindApp)
	for _, c := range []access.Credential{session, session.Code(codeHash, "shop", "shop.test", access.Challenge(verifier), noon)} {
		if err := tx.PutCredential(c); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok, err := access.UseCode(tx, code, verifier, "shop", "shop.test", appHash, noon); !ok || err != nil {
		t.Fatal(ok, err)
	}
	sso, ssoHash := access.NewSecret(access.KindSignOn)
	if err := tx.PutCredential(session.SignOn(ssoHash, noon)); err != nil {
		t.Fatal(err)
	}
	known := func(now time.Time) (visit, signOn, console error) {
		_, visit = access.Visit(tx, appHash, "shop", "shop.test", now)
		_, _, signOn = access.SessionBehind(tx, sso, now)
		_, _, console = access.Authenticate(tx, secret, now)
		return visit, signOn, console
	}
	before, at := noon.Add(8*time.Hour-time.Second), noon.Add(8*time.Hour)
	if a, b, c := known(before); a != nil || b != nil || c != nil {
		t.Errorf("a second before the end: %v, %v, %v", a, b, c)
	}
	v, err := access.Visit(tx, appHash, "shop", "shop.test", before)
	if err != nil || !v.Until.Equal(at) || v.Used.Hash != hash || v.Actor.User != "ada@x.y" {
		t.Errorf("%+v, %v", v, err)
	}
	if a, b, c := known(at); !errors.Is(a, access.ErrUnauthenticated) || !errors.Is(b, access.ErrUnauthenticated) || !errors.Is(c, access.ErrUnauthenticated) {
		t.Errorf("at the end: %v, %v, %v", a, b, c)
	}
	if _, err := access.ForgetEnded(tx, at); err != nil || len(tx.credentials) != 0 {
		t.Errorf("%d credentials are left: %v", len(tx.credentials), err)
	}
}

// TestShorten: lives that an operator shortens hold for sessions of before; what was made shorter stays so.
func TestShorten(t *testing.T) {
	long, short := access.Lives{Idle: 8 * time.Hour, Longest: 48 * time.Hour}, access.Lives{Idle: time.Hour, Longest: 24 * time.Hour}
	hash := strings.Repeat("a", 64)
	c := long.Session(hash, "ada@x.y", access.Device{}, 0, noon)
	if long.Shorten(&c) || !short.Shorten(&c) || c.Idle != time.Hour || !c.Expires.Equal(noon.Add(24*time.Hour)) || long.Shorten(&c) {
		t.Errorf("%+v", c)
	}
	brief := long.Session(hash, "ada@x.y", access.Device{}, 15*time.Minute, noon)
	if short.Shorten(&brief); !brief.Expires.Equal(noon.Add(15 * time.Minute)) {
		t.Errorf("%+v", brief)
	}
	old := access.Credential{Kind: access.KindSession, Created: noon, Expires: noon.Add(12 * time.Hour)}
	if !long.Shorten(&old) || old.Idle != 8*time.Hour || !old.Expires.Equal(noon.Add(12*time.Hour)) {
		t.Errorf("of before there was an idle end: %+v", old)
	}
	for _, bad := range []access.Lives{{time.Minute, time.Hour}, {time.Hour, time.Minute}, {time.Hour, 91 * 24 * time.Hour}, {-1, time.Hour}} {
		if bad.Check() == nil {
			t.Errorf("%+v are lives", bad)
		}
	}
}

// TestDeviceName: a device is named in words of ours, and whatever a client writes is no more than a short
// plain word.
func TestDeviceName(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0":                                                                  "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0":           "Edge on Windows",
		"Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari/537.36":                                "Chrome on Android",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15":                   "Safari on macOS",
		"Go-http-client/1.1": "Go-http-client/1.1", "agora/1.2 (linux)": "agora/1.2", "": "",
		"<script>alert(1)</script>": "scriptalert1/script", "Firefox/1": "Firefox/1", "you are signed in; call +1 555": "you",
		"\u202eevil\x00\n": "evil", strings.Repeat("x", 1<<20): strings.Repeat("x", 60),
	} {
		if got := access.DeviceName(agent); got != want {
			t.Errorf("%.60q: %q, want %q", agent, got, want)
		}
	}
}

func FuzzDeviceName(f *testing.F) {
	f.Add("Mozilla/5.0 (X11; Linux) Firefox/1")
	f.Fuzz(func(t *testing.T, agent string) {
		name := access.DeviceName(agent)
		for _, c := range []byte(name) {
			if c >= 0x7f || c < ' ' || strings.IndexByte("<>&\"'`", c) >= 0 {
				t.Fatalf("%q of %q", name, agent)
			}
		}
		if len(name) > 60 {
			t.Fatalf("%q", name)
		}
	})
}

// TestTokenIsUsedAfterItWasMade: when a token was used is noted by the hour, and never as before it was made.
func TestTokenIsUsedAfterItWasMade(t *testing.T) {
	c := access.Credential{Kind: access.KindToken, Created: noon.Add(42 * time.Minute)}
	for _, u := range []struct{ now, want time.Time }{
		{noon.Add(43 * time.Minute), c.Created}, {noon.Add(50 * time.Minute), time.Time{}}, {noon.Add(90 * time.Minute), noon.Add(time.Hour)}, {noon.Add(100 * time.Minute), time.Time{}},
	} {
		at, soon := c.Note(u.now)
		if !at.Equal(u.want) || soon {
			t.Errorf("at %s it is noted as used at %s, want %s", u.now, at, u.want)
		}
		if !at.IsZero() {
			c.Used = at
		}
	}
}
