package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ErrRefused: the request does not prove that it comes from who holds the secret.
var ErrRefused = errors.New("the webhook is not signed as it has to be")

// Tolerance is how far a signed timestamp may lie from now, either way.
const Tolerance = 5 * time.Minute

// maxSignatures bounds how many signatures of one header are looked at.
const maxSignatures = 10

// Proof is what a request that was verified said about itself.
type Proof struct {
	// ID names the event, if the scheme has a name for it; not always signed.
	ID string
	// Once is the same for the same request sent twice, if the scheme signs what
	// tells one from another: a timestamp or an id. "" if it does not.
	Once string
}

// A scheme reads headers and returns what is signed and by what.
type scheme func(h http.Header, header string, body, secret []byte, now time.Time) (Proof, error)

var schemes = map[string]scheme{
	"github": github, "stripe": stripe, "slack": slack, "standard-webhooks": standard, "hmac-sha256": plain,
}

// Verify checks a request's signature. header is the one that "hmac-sha256"
// reads. The error wraps ErrRefused.
func Verify(name string, h http.Header, header string, body, secret []byte, now time.Time) (Proof, error) {
	check, ok := schemes[name]
	if !ok {
		return Proof{}, refused("the scheme %q is not known", name)
	}
	if len(secret) == 0 {
		return Proof{}, refused("its secret is empty")
	}
	return check(h, header, body, secret, now)
}

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}

// one reads a header that has to be there once.
func one(h http.Header, name string) (string, error) {
	switch values := h.Values(name); {
	case len(values) == 0 || values[0] == "":
		return "", refused("the header %s is missing", name)
	case len(values) > 1:
		return "", refused("the header %s is there %d times", name, len(values))
	default:
		return values[0], nil
	}
}

func sum(secret []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, secret)
	for _, p := range parts {
		mac.Write(p)
	}
	return mac.Sum(nil)
}

var errMismatch = refused("the signature does not match; is the secret the one that the other side signs with?")

// matchHex compares a signature in hex.
func matchHex(text string, want []byte) bool {
	got, err := hex.DecodeString(text)
	return err == nil && hmac.Equal(got, want)
}

// timely reads a Unix time in seconds that must be about now.
func timely(text string, now time.Time) error {
	if len(text) == 0 || len(text) > 12 || strings.Trim(text, "0123456789") != "" {
		return refused("its timestamp is no Unix time")
	}
	sec, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return refused("its timestamp is no Unix time")
	}
	if off := now.Sub(time.Unix(sec, 0)); off > Tolerance || off < -Tolerance {
		return refused("its timestamp is %s off; is the clock right?", off.Round(time.Second))
	}
	return nil
}

// github: docs.github.com, "Validating webhook deliveries". Neither the id nor a
// time is signed, so the same request sent twice cannot be told from two.
func github(h http.Header, _ string, body, secret []byte, _ time.Time) (Proof, error) {
	text, err := one(h, "X-Hub-Signature-256")
	if err != nil {
		return Proof{}, err
	}
	text, ok := strings.CutPrefix(text, "sha256=")
	if !ok || !matchHex(text, sum(secret, body)) {
		return Proof{}, errMismatch
	}
	return Proof{ID: clean(h.Get("X-Github-Delivery"))}, nil
}

// stripe: docs.stripe.com, "Verify webhook signatures manually". A secret that is
// being changed signs beside the new one: any of the v1 may match.
func stripe(h http.Header, _ string, body, secret []byte, now time.Time) (Proof, error) {
	text, err := one(h, "Stripe-Signature")
	if err != nil {
		return Proof{}, err
	}
	var stamp string
	var signatures []string
	for part := range strings.SplitSeq(text, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case key == "t" && stamp != "":
			return Proof{}, refused("it has two timestamps")
		case key == "t":
			stamp = value
		case key == "v1" && len(signatures) < maxSignatures:
			signatures = append(signatures, value)
		}
	}
	if err := timely(stamp, now); err != nil {
		return Proof{}, err
	}
	want := sum(secret, []byte(stamp), []byte("."), body)
	for _, s := range signatures {
		if matchHex(s, want) {
			return Proof{Once: stamp + "." + hex.EncodeToString(want)}, nil
		}
	}
	return Proof{}, errMismatch
}

// slack: docs.slack.dev, "Verifying requests from Slack".
func slack(h http.Header, _ string, body, secret []byte, now time.Time) (Proof, error) {
	text, err := one(h, "X-Slack-Signature")
	if err != nil {
		return Proof{}, err
	}
	stamp, err := one(h, "X-Slack-Request-Timestamp")
	if err != nil {
		return Proof{}, err
	}
	if err := timely(stamp, now); err != nil {
		return Proof{}, err
	}
	want := sum(secret, []byte("v0:"), []byte(stamp), []byte(":"), body)
	text, ok := strings.CutPrefix(text, "v0=")
	if !ok || !matchHex(text, want) {
		return Proof{}, errMismatch
	}
	return Proof{Once: stamp + "." + hex.EncodeToString(want)}, nil
}

// standard: github.com/standard-webhooks/standard-webhooks, the specification.
// Of its signatures, separated by spaces, those of version v1 are HMACs.
func standard(h http.Header, _ string, body, secret []byte, now time.Time) (Proof, error) {
	var values [3]string
	for i, name := range []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"} {
		var err error
		if values[i], err = one(h, name); err != nil {
			return Proof{}, err
		}
	}
	id, stamp := values[0], values[1]
	if id != clean(id) || strings.Contains(id, ".") {
		return Proof{}, refused("its id is none")
	}
	if err := timely(stamp, now); err != nil {
		return Proof{}, err
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(secret), "whsec_"))
	if err != nil || len(key) == 0 {
		return Proof{}, refused("the secret is not whsec_ and base64, as this scheme has it")
	}
	want := sum(key, []byte(id), []byte("."), []byte(stamp), []byte("."), body)
	for i, text := range strings.Fields(values[2]) {
		text, ok := strings.CutPrefix(text, "v1,")
		if !ok || i >= maxSignatures {
			continue
		}
		if got, err := base64.StdEncoding.Strict().DecodeString(text); err == nil && hmac.Equal(got, want) {
			return Proof{ID: id, Once: id}, nil
		}
	}
	return Proof{}, errMismatch
}

// plain is the body's HMAC in a header of one's own, in hex or base64, perhaps
// after "sha256=". It tells one request from another as little as GitHub's.
func plain(h http.Header, header string, body, secret []byte, _ time.Time) (Proof, error) {
	text, err := one(h, header)
	if err != nil {
		return Proof{}, err
	}
	text = strings.TrimPrefix(text, "sha256=")
	want := sum(secret, body)
	if matchHex(text, want) {
		return Proof{}, nil
	}
	if got, err := base64.StdEncoding.Strict().DecodeString(text); err == nil && hmac.Equal(got, want) {
		return Proof{}, nil
	}
	return Proof{}, errMismatch
}

// clean keeps an id that is short and plain, or nothing of it.
func clean(id string) string {
	if len(id) > 128 {
		return ""
	}
	for _, c := range []byte(id) {
		if c <= ' ' || c > '~' {
			return ""
		}
	}
	return id
}
