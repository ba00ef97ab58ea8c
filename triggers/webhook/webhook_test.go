package webhook_test

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
	"testing"
	"time"

	"github.com/agora-host/agora/triggers/webhook"
)

var now = time.Unix(1_800_000_000, 0)

const body = `{"zen":"Keep it logically awesome."}`

func mac(secret, text string) []byte {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(text))
	return m.Sum(nil)
}

func hexMac(secret, text string) string { return hex.EncodeToString(mac(secret, text)) }

func stamp(off time.Duration) string { return strconv.FormatInt(now.Add(off).Unix(), 10) }

// signed is a right request of each scheme, off from now.
func signed(scheme, secret, body string, off time.Duration) http.Header {
	h, t := http.Header{}, stamp(off)
	switch scheme {
	case "github":
		h.Set("X-Hub-Signature-256", "sha256="+hexMac(secret, body))
		h.Set("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
	case "stripe":
		h.Set("Stripe-Signature", "t="+t+",v1="+hexMac(secret, t+"."+body)+",v0=00")
	case "slack":
		h.Set("X-Slack-Request-Timestamp", t)
		h.Set("X-Slack-Signature", "v0="+hexMac(secret, "v0:"+t+":"+body))
	case "standard-webhooks":
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil {
			panic(err)
		}
		h.Set("Webhook-Id", "msg_1")
		h.Set("Webhook-Timestamp", t)
		h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac(string(key), "msg_1."+t+"."+body)))
	case "hmac-sha256":
		h.Set("X-Signature", hexMac(secret, body))
	}
	return h
}

var secrets = map[string]string{
	"github": "s3cret", "stripe": "whsec_abc", "slack": "8f742231b10e8888abcd99yyyzzz85a5",
	"standard-webhooks": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "hmac-sha256": "s3cret",
}

// TestPublishedVectors are the examples of the services' own documentation.
func TestPublishedVectors(t *testing.T) {
	for _, c := range []struct {
		scheme, secret, body string
		header               http.Header
		now                  int64
	}{
		{"github", "It's a Secret to Everybody", "Hello, World!", http.Header{"X-Hub-Signature-256": {"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}}, 0},
		{"standard-webhooks", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", `{"test": 2432232314}`, http.Header{
			"Webhook-Id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "Webhook-Timestamp": {"1614265330"}, "Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}}, 1614265330},
		{"slack", "8f742231b10e8888abcd99yyyzzz85a5", "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
			http.Header{"X-Slack-Signature": {"v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"}, "X-Slack-Request-Timestamp": {"1531420618"}}, 1531420618},
	} {
		if _, err := webhook.Verify(c.scheme, c.header, "", []byte(c.body), []byte(c.secret), time.Unix(c.now, 0)); err != nil {
			t.Errorf("%s: %v", c.scheme, err)
		}
	}
}

func TestEveryScheme(t *testing.T) {
	for scheme, secret := range secrets {
		good := signed(scheme, secret, body, 0)
		proof, err := webhook.Verify(scheme, good, "X-Signature", []byte(body), []byte(secret), now)
		if err != nil {
			t.Fatalf("%s: %v", scheme, err)
		}
		timed := scheme == "stripe" || scheme == "slack" || scheme == "standard-webhooks"
		if (proof.Once != "") != timed {
			t.Errorf("%s: once %q", scheme, proof.Once)
		}
		refuse := func(what string, h http.Header, body, secret string) {
			t.Helper()
			if proof, err := webhook.Verify(scheme, h, "X-Signature", []byte(body), []byte(secret), now); !errors.Is(err, webhook.ErrRefused) {
				t.Errorf("%s, %s: %+v, %v", scheme, what, proof, err)
			} else if strings.Contains(err.Error(), secret) && secret != "" {
				t.Errorf("%s, %s: the error tells the secret", scheme, what)
			}
		}
		refuse("another body", good, body+" ", secret)
		refuse("no body", good, "", secret)
		refuse("another secret", good, body, "whsec_AAAA"+secret[6:])
		refuse("no secret", good, body, "")
		refuse("nothing", http.Header{}, body, secret)
		for name, values := range good {
			if name == "X-Github-Delivery" {
				continue
			}
			without := good.Clone()
			without.Del(name)
			refuse("without "+name, without, body, secret)
			twice := good.Clone()
			twice.Add(name, values[0])
			refuse("twice "+name, twice, body, secret)
			emptied := good.Clone()
			emptied.Set(name, "")
			refuse("empty "+name, emptied, body, secret)
			long := good.Clone()
			long.Set(name, strings.Repeat(values[0]+",", 5000))
			refuse("huge "+name, long, body, secret)
			for i := range len(values[0]) {
				flipped := []byte(values[0])
				if flipped[i] ^= 1; flipped[i] == ',' || flipped[i] == '=' {
					continue
				}
				h := good.Clone()
				h.Set(name, string(flipped))
				if _, err := webhook.Verify(scheme, h, "X-Signature", []byte(body), []byte(secret), now); err == nil && !tolerated(scheme, name, values[0], i) {
					t.Errorf("%s: %s is taken instead of %s", scheme, flipped, values[0])
				}
			}
		}
		if timed {
			for off, fine := range map[time.Duration]bool{4*time.Minute + 59*time.Second: true, -4 * time.Minute: true, 5*time.Minute + time.Second: false, -6 * time.Minute: false, -1000 * time.Hour: false} {
				if _, err := webhook.Verify(scheme, signed(scheme, secret, body, off), "", []byte(body), []byte(secret), now); (err == nil) != fine {
					t.Errorf("%s, %s off: %v", scheme, off, err)
				}
			}
		}
	}
	if _, err := webhook.Verify("github", signed("github", "", body, 0), "", []byte(body), nil, now); !errors.Is(err, webhook.ErrRefused) {
		t.Errorf("a secret that is not set signs: %v", err)
	}
	if _, err := webhook.Verify("none", http.Header{}, "", nil, []byte("x"), now); !errors.Is(err, webhook.ErrRefused) {
		t.Errorf("a scheme that is none: %v", err)
	}
}

// tolerated are the bytes of a right header that do not count: the value of a
// version that is not read, and the case of hex digits.
func tolerated(scheme, name, value string, i int) bool {
	return scheme == "stripe" && i >= strings.Index(value, ",v0")
}

// TestSeveralSignatures: while a secret is being changed, either may sign.
func TestSeveralSignatures(t *testing.T) {
	at := stamp(0)
	right, wrong := hexMac(secrets["stripe"], at+"."+body), hexMac("other", at+"."+body)
	h := http.Header{"Stripe-Signature": {fmt.Sprintf("t=%s,v1=%s,v1=%s", at, wrong, right)}}
	if _, err := webhook.Verify("stripe", h, "", []byte(body), []byte(secrets["stripe"]), now); err != nil {
		t.Error(err)
	}
	h = http.Header{"Stripe-Signature": {fmt.Sprintf("t=%s,t=%s,v1=%s", stamp(-time.Hour), at, right)}}
	if _, err := webhook.Verify("stripe", h, "", []byte(body), []byte(secrets["stripe"]), now); err == nil {
		t.Error("two timestamps are taken")
	}
	s := signed("standard-webhooks", secrets["standard-webhooks"], body, 0)
	s.Set("Webhook-Signature", "v1a,xxx v1,AAAA "+s.Get("Webhook-Signature"))
	if _, err := webhook.Verify("standard-webhooks", s, "", []byte(body), []byte(secrets["standard-webhooks"]), now); err != nil {
		t.Error(err)
	}
	s.Set("Webhook-Signature", strings.Repeat("v1,AAAA ", 50)+s.Get("Webhook-Signature"))
	if _, err := webhook.Verify("standard-webhooks", s, "", []byte(body), []byte(secrets["standard-webhooks"]), now); err == nil {
		t.Error("any number of signatures is looked at")
	}
}

func FuzzVerify(f *testing.F) {
	for scheme, secret := range secrets {
		for _, values := range signed(scheme, secret, body, 0) {
			f.Add(scheme, values[0], stamp(0), body)
		}
	}
	f.Fuzz(func(t *testing.T, scheme, signature, at, body string) {
		h := http.Header{}
		for _, name := range []string{"X-Hub-Signature-256", "Stripe-Signature", "X-Slack-Signature", "Webhook-Signature", "X-Signature"} {
			h.Set(name, signature)
		}
		h.Set("X-Slack-Request-Timestamp", at)
		h.Set("Webhook-Timestamp", at)
		h.Set("Webhook-Id", "msg_1")
		// No one who does not have the secret gets through.
		if proof, err := webhook.Verify(scheme, h, "X-Signature", []byte(body), []byte("whsec_bm90IHRoZSBzZWNyZXQgb2YgdGhlIHNlZWRz"), now); err == nil {
			t.Errorf("%s %q %q: %+v", scheme, signature, at, proof)
		}
	})
}
