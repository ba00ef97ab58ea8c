package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/internal/sentinel"
)

// ErrNoSession: the person has no such session.
var ErrNoSession = sentinel.New(ErrNotFound, "there is no such session")

// Lives say how long sessions of the console last.
type Lives struct {
	Idle    time.Duration // without a use
	Longest time.Duration // however much they are used
}

// Bounds of lives. A use is noted every few minutes, which a shorter idle end would not leave room for.
const (
	shortestIdle = 10 * time.Minute
	longestLife  = 90 * 24 * time.Hour
)

// Or returns lives in which defaults stand for what is not set: 8 hours and 7 days.
func (l Lives) Or() Lives {
	return Lives{cmp.Or(l.Idle, 8*time.Hour), cmp.Or(l.Longest, 7*24*time.Hour)}
}

// Check returns an error unless sessions can have such lives.
func (l Lives) Check() error {
	if l.Idle < shortestIdle || l.Longest < l.Idle || l.Longest > longestLife {
		return fmt.Errorf("sessions end unused after %s and in any case after %s: write %s at least, %s at most, and the longer one second", l.Idle, l.Longest, shortestIdle, longestLife)
	}
	return nil
}

// Session makes the record of a session of the console. ttl is how long it lasts however much it is used, if
// that is less than others do.
func (l Lives) Session(hash, user string, from Device, ttl time.Duration, now time.Time) Credential {
	l, now = l.Or(), now.UTC()
	if ttl == 0 || ttl > l.Longest {
		ttl = l.Longest
	}
	return Credential{
		ID: hash[:12], Hash: hash, Kind: KindSession, User: user, Created: now, Expires: now.Add(ttl), Idle: l.Idle, Device: from, Proven: now,
	}
}

// Shorten cuts the life of a session that began while lives were longer, and reports whether it did. What
// began before sessions had an idle end gets one.
func (l Lives) Shorten(c *Credential) bool {
	was := *c
	if c.Idle == 0 || c.Idle > l.Idle {
		c.Idle = l.Idle
	}
	if end := c.Created.Add(l.Longest); c.Expires.IsZero() || c.Expires.After(end) {
		c.Expires = end
	}
	return c.Idle != was.Idle || !c.Expires.Equal(was.Expires)
}

// LastUse is when a credential was used last, as far as that is stored.
func (c Credential) LastUse() time.Time {
	if c.Used.After(c.Created) {
		return c.Used
	}
	return c.Created
}

// Ends is when a credential ends if it is not used again; zero: never.
func (c Credential) Ends() time.Time {
	if c.Idle <= 0 {
		return c.Expires
	}
	idle := c.LastUse().Add(c.Idle)
	if c.Expires.IsZero() || idle.Before(c.Expires) {
		return idle
	}
	return c.Expires
}

// Ended reports whether a credential has ended: it lets no user in any more.
func (c Credential) Ended(now time.Time) bool {
	ends := c.Ends()
	return !ends.IsZero() && !now.Before(ends)
}

// How exactly it is kept when a credential was last used: a note is a write.
const (
	tokenUsedEvery   = time.Hour
	sessionUsedEvery = 5 * time.Minute
	// idleNear is how near its end a use of a session is stored at once.
	idleNear = time.Minute
)

// Note returns what is to be noted of a use now; zero if what is stored is exact enough. A use is soon to be
// stored if the session would end before long without it.
func (c Credential) Note(now time.Time) (used time.Time, soon bool) {
	now = now.UTC()
	switch c.Kind {
	case KindToken:
		at := now.Truncate(tokenUsedEvery)
		if at.Before(c.Created) { // no token was used before it was made
			at = c.Created
		}
		if at.After(c.Used) {
			return at, false
		}
	case KindSession:
		every := sessionUsedEvery
		if c.Idle > 0 {
			every = min(every, c.Idle/10)
		}
		if !now.Before(c.LastUse().Add(every)) {
			return now.Truncate(time.Second), c.Idle > 0 && c.LastUse().Add(c.Idle).Sub(now) <= idleNear
		}
	}
	return time.Time{}, false
}

// behind returns an error unless the session still lasts that a credential for an app's address was made
// with.
func behind(tx Reader, c Credential, now time.Time) (Credential, error) {
	s, err := tx.CredentialByHash(c.Session)
	if errors.Is(err, ErrNotFound) || err == nil && s.Ended(now) {
		return s, fmt.Errorf("the session of the console has ended: %w", ErrUnauthenticated)
	}
	return s, err
}

// Device is where a session began: what the browser or the program calls itself, and its address. Both are
// what a client says or a proxy passes on; they are shown to the person, and nothing hangs on them.
type Device struct {
	Name    string `json:"name,omitempty"`
	Address string `json:"address,omitempty"`
}

type deviceKey struct{}

// WithDevice puts where a request comes from into a context.
func WithDevice(ctx context.Context, d Device) context.Context {
	return context.WithValue(ctx, deviceKey{}, d)
}

// DeviceFrom is where a request comes from.
func DeviceFrom(ctx context.Context) Device {
	d, _ := ctx.Value(deviceKey{}).(Device)
	return d
}

// maxAgent is how much of a User-Agent is looked at, and maxDevice how long a device's name is, in bytes.
const (
	maxAgent  = 512
	maxDevice = 60
)

// browsers and systems are known by words of their User-Agent, of which the first that occurs counts: most
// browsers name others, too.
var (
	browsers = [][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"},
		{"HeadlessChrome/", "Chrome"}, {"Chrome/", "Chrome"}, {"Chromium/", "Chromium"}, {"Version/", "Safari"}}
	systems = [][2]string{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"}, {"Macintosh", "macOS"}, {"Linux", "Linux"}}
)

// DeviceName makes a short name of a User-Agent header, which anybody writes: "Firefox on Linux". Of a
// program it is the product it names, and nothing but plain letters, digits and a few marks.
func DeviceName(agent string) string {
	agent = agent[:min(len(agent), maxAgent)]
	find := func(known [][2]string) string {
		i := slices.IndexFunc(known, func(k [2]string) bool { return strings.Contains(agent, k[0]) })
		if i < 0 {
			return ""
		}
		return known[i][1]
	}
	if browser := find(browsers); browser != "" && strings.HasPrefix(agent, "Mozilla/") {
		if system := find(systems); system != "" {
			return browser + " on " + system
		}
		return browser
	}
	product, _, _ := strings.Cut(agent, " ")
	return PlainText(product, maxDevice)
}

// PlainText keeps of a text that a stranger wrote what cannot be mistaken for anything else where it is
// shown: ASCII letters, digits and - . _ / and so many of them at most.
func PlainText(text string, most int) string {
	keep := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._/", r) {
			return r
		}
		return -1
	}
	text = strings.Map(keep, text[:min(len(text), 4*most)])
	return text[:min(len(text), most)]
}
