package node_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
)

func hexMac(secret, text string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(text))
	return hex.EncodeToString(m.Sum(nil))
}

func hooks(deliver string) string {
	return fmt.Sprintf(`[[triggers.webhook]]
name = "pay"
path = "/hooks/pay"
verify = "stripe"
secret = "pay"
deliver = %q
[[triggers.webhook]]
name = "git"
path = "/hooks/git"
verify = "github"
secret = "git"`, deliver)
}

func answers(status int, text string) []byte {
	return wasmtest.App{Frame: abi.AppendResponse(nil, &abi.Response{Status: status, Body: []byte(text)})}.Bytes()
}

// TestWebhooks: the app sees what is signed and nothing else, once.
func TestWebhooks(t *testing.T) {
	n := start(t)
	p := n.publish(n.ada(), manifest("bank", hooks("call")), says("thanks"))
	stripe := func(secret, body string, off time.Duration) string {
		at := strconv.FormatInt(time.Now().Add(off).Unix(), 10)
		return "t=" + at + ",v1=" + hexMac(secret, at+"."+body)
	}
	post := func(path, body string, header ...string) answer { return n.do("POST", p.URL+path, body, header...) }
	if got := post("hooks/pay", "x", "Stripe-Signature", stripe("s3cret", "x", 0)); got.Status != 401 || got.Problem.Title != "The webhook is refused" {
		t.Errorf("before a secret is set: %+v", got)
	}
	for _, name := range []string{"pay", "git"} {
		if _, err := n.ada().SetSecret(t.Context(), "bank", name, []byte("s3cret")); err != nil {
			t.Fatal(err)
		}
	}
	good := stripe("s3cret", `{"paid":1}`, 0)
	if got := post("hooks/pay", `{"paid":1}`, "Stripe-Signature", good); got.Status != 200 || got.Body != "thanks" {
		t.Errorf("signed: %+v", got)
	}
	if got := post("hooks/pay", `{"paid":1}`, "Stripe-Signature", good); got.Status != 200 || got.Body != "" {
		t.Errorf("the same once more: %+v", got)
	}
	if got := post("hooks/git", "y", "X-Hub-Signature-256", "sha256="+hexMac("s3cret", "y")); got.Status != 200 || got.Body != "thanks" {
		t.Errorf("another scheme: %+v", got)
	}
	for what, got := range map[string]answer{
		"unsigned":              post("hooks/pay", "x"),
		"another body":          post("hooks/pay", "z", "Stripe-Signature", stripe("s3cret", "x", 0)),
		"another secret":        post("hooks/pay", "x", "Stripe-Signature", stripe("secret", "x", 0)),
		"old":                   post("hooks/pay", "x", "Stripe-Signature", stripe("s3cret", "x", -10*time.Minute)),
		"of the future":         post("hooks/pay", "x", "Stripe-Signature", stripe("s3cret", "x", 10*time.Minute)),
		"the other's signature": post("hooks/pay", "y", "X-Hub-Signature-256", "sha256="+hexMac("s3cret", "y")),
		"escaped":               post("hooks%2fpay", "x"),
		"the preview's address": n.do("POST", p.Preview+"hooks/pay", "x"),
	} {
		if got.Status != 401 || got.Body == "thanks" || strings.Contains(got.Body, "signature") || strings.Contains(got.Body, "timestamp") {
			t.Errorf("%s: %+v", what, got)
		}
	}
	if got := n.get(p.URL + "hooks/pay"); got.Status != 405 {
		t.Errorf("a GET: %+v", got)
	}
	if got := post("hooks/pay", strings.Repeat("x", 1<<20+1)); got.Status != 413 {
		t.Errorf("a huge body: %+v", got)
	}
	if got := n.get(p.URL); got.Body != "thanks" {
		t.Errorf("another page: %+v", got)
	}
	if tr := n.trigger("bank", "pay"); tr.Done != 1 || tr.Failed != 0 {
		t.Errorf("%+v", tr)
	}
	logs, err := n.ada().Logs(t.Context(), "bank", 100)
	if err != nil || !strings.Contains(fmt.Sprint(logs), "webhook pay was refused") || strings.Contains(fmt.Sprint(logs), "s3cret") {
		t.Errorf("the log says %v, %v", logs, err)
	}
	if _, err := n.ada().PauseTrigger(t.Context(), "bank", abi.TriggerWebhook, "pay", true, ""); err != nil {
		t.Fatal(err)
	}
	if got := post("hooks/pay", "x", "Stripe-Signature", stripe("s3cret", "x", 0)); got.Status != 503 {
		t.Errorf("paused: %+v", got)
	}
}

// TestHandshakes: the ways in which services ask whether an address takes their webhooks. The node
// returns what it can vouch for; what is the app's to judge comes to it marked, and is no webhook.
func TestHandshakes(t *testing.T) {
	n := start(t)
	for _, deliver := range []string{"call", "queue"} {
		text := hooks(deliver) + "\n[[triggers.webhook]]\nname = \"chat\"\npath = \"/hooks/chat\"\nverify = \"slack\"\nsecret = \"pay\"\ndeliver = \"" + deliver + "\"\n[static]\ndir = \"s\"\nfallback = \"index.html\""
		p := n.publish(n.ada(), manifest("bank", text), withFiles(t, showsFrame, fstest.MapFS{"index.html": {Data: []byte("a page")}}))
		if _, err := n.ada().SetSecret(t.Context(), "bank", "pay", []byte("s3cret")); err != nil {
			t.Fatal(err)
		}
		ask := func(method, path, body string, header ...string) answer {
			return n.do(method, p.URL+"hooks/"+path, body, append(header, "Accept", "text/html, */*")...)
		}
		if got := ask("GET", "git?challenge=%3Cb%3E", ""); got.Status != 200 || got.Body != "<b>" || got.Header.Get("Content-Type") != "text/plain; charset=utf-8" || got.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("a challenge: %+v", got)
		}
		if got := ask("POST", "git?validationToken=a+b", ""); got.Status != 200 || got.Body != "a b" {
			t.Errorf("a token: %+v", got)
		}
		if got := ask("POST", "git?validationToken=a+b", "x"); got.Status != 401 {
			t.Errorf("a token and a body that is not signed: %+v", got)
		}
		if got := ask("OPTIONS", "git", "", "WebHook-Request-Origin", "a.example.com", "WebHook-Request-Rate", "120"); got.Status != 200 || got.Header.Get("WebHook-Allowed-Origin") != "a.example.com" || got.Header.Get("WebHook-Allowed-Rate") != "*" {
			t.Errorf("CloudEvents: %+v", got)
		}
		if got := ask("HEAD", "git", ""); got.Status != 200 {
			t.Errorf("HEAD: %+v", got)
		}
		if got := ask("GET", "git", ""); got.Status != 405 || got.Header.Get("Allow") == "" {
			t.Errorf("GET: %+v", got)
		}
		if got := ask("PUT", "git?hub.mode=subscribe", ""); got.Status != 405 {
			t.Errorf("PUT: %+v", got)
		}
		before := n.trigger("bank", "git")
		got := ask("GET", "git?hub.mode=subscribe&hub.verify_token=t&hub.challenge=c", "unsigned", "Agora-Unverified-Webhook", "forged", "Agora-Trigger", "webhook")
		_, frame, _ := strings.Cut(got.Body, "data: 1\n\n")
		q, err := abi.DecodeRequest([]byte(frame))
		seen := fmt.Sprint(q.Header)
		if err != nil || q.Method != "GET" || q.Query != "hub.mode=subscribe&hub.verify_token=t&hub.challenge=c" || len(q.Body) != 0 ||
			!strings.Contains(seen, "{Agora-Unverified-Webhook git}") || strings.Contains(seen, "Agora-Trigger") || strings.Contains(seen, "forged") {
			t.Errorf("a subscription: %+v, %v", q, err)
		}
		if after := n.trigger("bank", "git"); after.Done != before.Done || after.Failed != before.Failed {
			t.Errorf("a handshake counts as a webhook: %+v", after)
		}
		at, slack := strconv.FormatInt(time.Now().Unix(), 10), `{"type":"url_verification","challenge":"c"}`
		if got := ask("POST", "chat", slack, "X-Slack-Request-Timestamp", at, "X-Slack-Signature", "v0="+hexMac("s3cret", "v0:"+at+":"+slack)); got.Status != 200 || got.Body != "c" {
			t.Errorf("Slack, %s: %+v", deliver, got)
		}
		if got := ask("POST", "chat", slack, "X-Slack-Request-Timestamp", at, "X-Slack-Signature", "v0="+hexMac("wrong", "v0:"+at+":"+slack)); got.Status != 401 || got.Body == "c" {
			t.Errorf("Slack, not signed: %+v", got)
		}
	}
}

// TestQueuedWebhook: it is answered once it is durable, and delivered until that
// succeeds; what failed may be sent again.
func TestQueuedWebhook(t *testing.T) {
	var c clock
	n := start(t, c.set)
	c.node = n
	p := n.publish(n.ada(), manifest("bank", hooks("queue")), answers(500, "no"))
	for _, name := range []string{"pay", "git"} {
		if _, err := n.ada().SetSecret(t.Context(), "bank", name, []byte("s3cret")); err != nil {
			t.Fatal(err)
		}
	}
	at := strconv.FormatInt(c.now().Unix(), 10)
	got := n.do("POST", p.URL+"hooks/pay", "x", "Stripe-Signature", "t="+at+",v1="+hexMac("s3cret", at+".x"), "Content-Type", "text/x")
	if got.Status != 202 || !strings.Contains(got.Body, `"id": "`) {
		t.Fatalf("%+v", got)
	}
	eventually(t, "the app fails", func() bool { return n.trigger("bank", "pay").Failed == 1 })
	for range 2 { // a call that fails is not remembered as delivered
		if got := n.do("POST", p.URL+"hooks/git", "y", "X-Hub-Signature-256", "sha256="+hexMac("s3cret", "y")); got.Status != 500 {
			t.Errorf("%+v", got)
		}
	}
	n.publish(n.ada(), manifest("bank", hooks("queue")), says("thanks"))
	eventually(t, "the next release takes it", func() bool {
		c.advance(10 * time.Second)
		return n.trigger("bank", "pay").Done == 1
	})
}
