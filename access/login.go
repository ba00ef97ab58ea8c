package access

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

var (
	// ErrLogin: what a program brings for its token was used, is too old, or is another program's.
	ErrLogin = errors.New("the login did not complete")
	// ErrLoginPending: no person has confirmed it yet.
	ErrLoginPending = errors.New("the login is not confirmed yet")
	// ErrLoginSlow: the program asks more often than it was told to.
	ErrLoginSlow = errors.New("the program asks too often")
	// ErrLoginDenied: a person refused it.
	ErrLoginDenied = errors.New("the login was refused")
	// ErrLoginExpired: no person confirmed it in time.
	ErrLoginExpired = errors.New("the login has expired")
	// ErrLoginsFull: as many wait to be confirmed as there may be.
	ErrLoginsFull = errors.New("too many logins wait to be confirmed")
	// ErrUserCode: no login waits under what a person typed.
	ErrUserCode = errors.New("no login waits under this code")
	// ErrGuesses: a person typed too many codes under which none waits.
	ErrGuesses = errors.New("too many wrong codes")
)

// How long a login takes, and how many wait.
const (
	// LoginCodeLife is how long the code is good that a browser brings to the program.
	LoginCodeLife = time.Minute
	// DeviceLoginLife is how long a program waits for a person at another machine.
	DeviceLoginLife = 10 * time.Minute
	// MaxWaitingLogins wait for a person at a time, and MaxLoginsFrom of one address: who asks is unknown.
	MaxWaitingLogins = 500
	MaxLoginsFrom    = 20
	// MaxMachine is how long the name of a machine is, in bytes.
	MaxMachine = 60
	// MaxLoginLife is the most that the token of a login lives.
	MaxLoginLife = 366 * 24 * time.Hour
)

// LoginRequest is what a program of a person's asks for, of KindLogin. It waits under a code that the person
// types (RFC 8628), and has no user until then; or it was confirmed in the browser that the program opened, and
// the browser brings its secret to the program, which proves by the verifier of the challenge that it is the one
// that asked (RFC 8252, RFC 7636). The label is the machine's name, and the reach what the token is to have.
type LoginRequest struct {
	UserCode string        `json:"user_code,omitempty"` // the hash of what a person types; "" of one that a browser brings
	Life     time.Duration `json:"life,omitempty"`      // of the token
	Until    time.Time     `json:"until,omitzero"`      // it is good until then; it is remembered for longer
	Denied   bool          `json:"denied,omitempty"`
}

// userCodeLetters make no words and cannot be mistaken for each other (RFC 8628, 6.1).
const userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"

// userCodeLength makes 2.5e10 codes.
const userCodeLength = 8

// NewUserCode makes a code that a person types, and the hash to store.
func NewUserCode() (shown, hash string) {
	var letters [userCodeLength]byte
	for i := range letters {
		n, _ := rand.Int(rand.Reader, big.NewInt(int64(len(userCodeLetters)))) // which does not fail
		letters[i] = userCodeLetters[n.Int64()]
	}
	code := string(letters[:])
	return code[:userCodeLength/2] + "-" + code[userCodeLength/2:], HashUserCode(code)
}

// HashUserCode returns the hash of a code as a person types it, in small letters and with or without what is
// between its halves; "" if it can be none.
func HashUserCode(typed string) string {
	if len(typed) > 4*userCodeLength {
		return ""
	}
	code := strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToUpper(typed))
	if len(code) != userCodeLength || strings.Trim(code, userCodeLetters) != "" {
		return ""
	}
	return Hash("agora user code " + code)
}

// NewLoginVerifier makes what a program keeps of its login, in the form of RFC 7636.
func NewLoginVerifier() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// IsLoopback reports whether a text is an address at which a program of this machine waits for a browser:
// http, the loopback's own number and no name, a port, and the path /callback, exactly.
func IsLoopback(text string) bool {
	for _, host := range []string{"http://127.0.0.1:", "http://[::1]:"} {
		rest, is := strings.CutPrefix(text, host)
		port, ends := strings.CutSuffix(rest, "/callback")
		if n, err := strconv.ParseUint(port, 10, 16); is && ends && err == nil && n > 0 && strconv.FormatUint(n, 10) == port {
			return true
		}
	}
	return false
}

// newLogin makes the record of a login.
func newLogin(hash, machine string, reach Reach, life time.Duration, from Device, now time.Time) Credential {
	return Credential{
		ID: hash[:12], Hash: hash, Kind: KindLogin, Label: machine, Reach: reach, Device: from, Created: now.UTC(), Login: LoginRequest{Life: life},
	}
}

// DeviceLogin makes the record of a login that waits for a person under a code.
func DeviceLogin(hash, userCode, machine string, reach Reach, life time.Duration, from Device, now time.Time) Credential {
	c := newLogin(hash, machine, reach, life, from, now)
	c.Login.UserCode, c.Login.Until = userCode, now.UTC().Add(DeviceLoginLife)
	c.Expires = c.Login.Until.Add(time.Minute) // so that the program is told
	return c
}

// BrowserLogin makes the record of a login that a person has confirmed in a session, good once for who has the
// verifier of the challenge.
func (c Credential) BrowserLogin(hash, challenge, machine string, reach Reach, life time.Duration, from Device, now time.Time) Credential {
	login := newLogin(hash, machine, reach, life, from, now)
	login.Challenge, login.Login.Until = challenge, now.UTC().Add(LoginCodeLife)
	return c.confirmed(login, now)
}

// confirmed makes a login the person's whose session it is: it ends with that.
func (c Credential) confirmed(login Credential, now time.Time) Credential {
	login.User, login.Session, login.Expires = c.User, c.Hash, now.UTC().Add(codeKept)
	return login.Within(c.ID, c.Expires)
}

// waits reports whether a login waits for a person.
func (c Credential) waits(now time.Time) bool {
	return c.Kind == KindLogin && c.User == "" && !c.Login.Denied && now.Before(c.Login.Until)
}

// AskLogin stores a login that waits for a person; ErrLoginsFull if there is no room for it.
func AskLogin(tx Tx, login Credential, now time.Time) error {
	if err := AddCredential(tx, login, now); err != nil { // which forgets those that have ended, and is undone with an error below
		return err
	}
	all, err := tx.Credentials("")
	if err != nil {
		return err
	}
	from, here, waiting := network(login.Device.Address), 0, 0
	for _, c := range all {
		if c.Kind != KindLogin {
			continue
		}
		if waiting++; network(c.Device.Address) == from {
			here++
		}
	}
	if waiting > MaxWaitingLogins || here > MaxLoginsFrom {
		return fmt.Errorf("%w: at most %d do, and %d from one address; each is forgotten after %d minutes", ErrLoginsFull, MaxWaitingLogins, MaxLoginsFrom, DeviceLoginLife/time.Minute)
	}
	return nil
}

// Network is what one client has of addresses, of which a request came from one.
func (d Device) Network() string { return network(d.Address) }

// network is what one client has of addresses: of IPv6, a whole network.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Is4() {
		return address
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return p.String()
}

// WaitingLogin returns the login that waits under a code that a person typed; ErrUserCode.
func WaitingLogin(tx Reader, typed string, now time.Time) (Credential, error) {
	hash := HashUserCode(typed)
	if hash == "" {
		return Credential{}, fmt.Errorf("a code has %d letters, as in BCDF-GHJK: %w", userCodeLength, ErrUserCode)
	}
	all, err := tx.Credentials("")
	if err != nil {
		return Credential{}, err
	}
	for _, c := range all {
		if c.waits(now) && c.Login.UserCode == hash {
			return c, nil
		}
	}
	return Credential{}, fmt.Errorf("it was mistyped, used or refused, or is older than %d minutes: %w", DeviceLoginLife/time.Minute, ErrUserCode)
}

// AnswerLogin has a login that waits be the person's whose session answers, or be refused.
func AnswerLogin(tx Tx, login, session Credential, confirm bool, now time.Time) error {
	if !confirm {
		login.Login.Denied = true
		return tx.PutCredential(login)
	}
	return tx.PutCredential(session.confirmed(login, now))
}

// LoginState returns nil once a login is confirmed, and otherwise why it is not.
func LoginState(tx Reader, secret string, now time.Time) error {
	c, err := tx.CredentialByHash(Hash(secret))
	if errors.Is(err, ErrNotFound) || err == nil && (c.Kind != KindLogin || c.Ended(now)) {
		return fmt.Errorf("what it brought is not known here, or is too old: %w", ErrLogin)
	}
	switch {
	case err != nil:
		return err
	case c.Login.Denied:
		return ErrLoginDenied
	case c.Became == "" && !now.Before(c.Login.Until):
		return ErrLoginExpired
	case c.User == "":
		return ErrLoginPending
	}
	return nil
}

// UseLogin uses up a login that is confirmed, and stores a token with that hash for its person. One that is used
// twice ends the token of the first, and one in other hands is used up: both are reported by ok, and the caller
// commits them.
func UseLogin(tx Tx, secret, verifier, hash string, now time.Time) (token Credential, ok bool, err error) {
	if err := LoginState(tx, secret, now); err != nil {
		return token, false, err
	}
	c, err := tx.CredentialByHash(Hash(secret))
	if err != nil {
		return token, false, err
	}
	token = Credential{ID: hash[:12], Hash: hash, Kind: KindToken, User: c.User, Label: "agora CLI on " + c.Label, Reach: c.Reach, Created: now.UTC(), Expires: now.UTC().Add(c.Login.Life)}
	if c.Became != "" {
		first, err := tx.CredentialByHash(c.Became)
		if errors.Is(err, ErrNotFound) {
			return token, false, nil
		}
		if err != nil {
			return token, false, err
		}
		return first, false, Revoke(tx, first)
	}
	session, err := behind(tx, c, now)
	if err == nil {
		_, _, err = lookupHash(tx, session.Hash, now)
	}
	if errors.Is(err, ErrUnauthenticated) {
		return token, false, fmt.Errorf("the session in which it was confirmed has ended: %w", ErrLogin)
	}
	if err != nil {
		return token, false, err
	}
	if c.Challenge != "" && (len(verifier) < minVerifierBytes || subtle.ConstantTimeCompare([]byte(Challenge(verifier)), []byte(c.Challenge)) != 1) {
		c.Became = "-"
		return token, false, tx.PutCredential(c)
	}
	c.Became = hash
	token = token.Within(session.Parent, session.Until)
	return token, true, errors.Join(tx.PutCredential(c), AddCredential(tx, token, now))
}
