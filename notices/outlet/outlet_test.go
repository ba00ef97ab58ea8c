package outlet_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/notices"
	"github.com/agora-host/agora/notices/outlet"
	"github.com/agora-host/agora/notices/outlet/outlettest"
)

func mailer(t *testing.T, path string) *outlet.Mailer {
	t.Helper()
	f, err := outlet.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return outlet.NewMailer(*f.Mail)
}

var letter = notices.Letter{ID: "n1.abc", To: "ada@example.com", Subject: "Agora: Zoë asks for kv", Text: "Zoë asks.\n.\nFrom here\n", URL: "https://agora.example.com/inbox#choose"}

// TestMail: a letter reaches its one recipient through TLS and a sign-in, with the id that it has whenever
// it is sent again, and with what people wrote as text.
func TestMail(t *testing.T) {
	server := outlettest.Start(t)
	m := mailer(t, server.File(nil))
	if err := m.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := m.Send(t.Context(), letter); err != nil {
			t.Fatal(err)
		}
	}
	took := server.Took()
	if len(took) != 2 || took[0].To != "ada@example.com" || took[0].From != "agora@example.com" {
		t.Fatalf("%+v", took)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(took[0].Header("Subject"))
	if err != nil || subject != letter.Subject || took[0].Header("Auto-Submitted") != "auto-generated" || took[0].Header("To") != "<ada@example.com>" {
		t.Errorf("%q, %v\n%s", subject, err, took[0].Raw)
	}
	if id := took[0].Header("Message-ID"); id != "<n1.abc@example.com>" || id != took[1].Header("Message-ID") {
		t.Errorf("%q and %q", id, took[1].Header("Message-ID"))
	}
}

// TestMailInjection: no text makes a header, another recipient or another mail.
func TestMailInjection(t *testing.T) {
	server := outlettest.Start(t)
	m := mailer(t, server.File(nil))
	for _, evil := range []string{"x\r\nBcc: all@example.com", "x\nTo: b@example.com", "x\x00", "x\r\n\r\nbody", "x\r\n.\r\nMAIL FROM:<x@example.com>"} {
		for what, l := range map[string]notices.Letter{
			"id": {ID: evil, To: "ada@example.com"}, "to": {ID: "n", To: evil}, "to2": {ID: "n", To: "ada@example.com, eve@example.com"}, "subject": {ID: "n", To: "ada@example.com", Subject: evil}, "url": {ID: "n", To: "ada@example.com", URL: evil},
		} {
			if err := m.Send(t.Context(), l); err == nil || !notices.Refused(err) {
				t.Errorf("%q as %s: %v", evil, what, err)
			}
		}
	}
	if took := server.Took(); len(took) > 0 {
		t.Errorf("it sent %s", took[0].Raw)
	}
	l := letter
	l.Text = "one\r\n.\r\nMAIL FROM:<x@example.com>\r\nBcc: all@example.com\n"
	if err := m.Send(t.Context(), l); err != nil || len(server.Took()) != 1 || server.Took()[0].Header("Bcc") != "" {
		t.Errorf("%v, %d mails", err, len(server.Took()))
	}
}

// TestMailErrors: what is wrong with one letter is told from what is wrong with the server.
func TestMailErrors(t *testing.T) {
	server := outlettest.Start(t)
	m := mailer(t, server.File(nil))
	server.Refuse(func(string) error { return &smtp.SMTPError{Code: 550, Message: "no such user"} })
	if err := m.Send(t.Context(), letter); !notices.Refused(err) {
		t.Errorf("%v", err)
	}
	server.Refuse(nil)
	server.Down()
	if err := m.Send(t.Context(), letter); err == nil || notices.Refused(err) {
		t.Errorf("%v", err)
	}
	server.Up()
	if err := m.Send(t.Context(), letter); err != nil || len(server.Took()) != 1 {
		t.Errorf("%v, %d mails", err, len(server.Took()))
	}
	path := server.File(nil)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "password"), []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := mailer(t, path).Send(t.Context(), letter); err == nil || notices.Refused(err) || strings.Contains(err.Error(), "wrong") {
		t.Errorf("%v", err)
	}
	stranger := outlettest.Start(t) // whose certificate is of another authority
	file := stranger.File(nil)
	mine, err := os.ReadFile(filepath.Join(filepath.Dir(path), "ca.pem"))
	if err != nil || os.WriteFile(filepath.Join(filepath.Dir(file), "ca.pem"), mine, 0o600) != nil {
		t.Fatal(err)
	}
	if err := mailer(t, file).Send(t.Context(), letter); err == nil || len(stranger.Took()) > 0 {
		t.Errorf("a server of another certificate is believed: %v", err)
	}
}

// receiver keeps the requests that a webhook makes.
type receiver struct {
	header http.Header
	body   []byte
	calls  atomic.Int64
	status int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.calls.Add(1)
	r.header = q.Header.Clone()
	r.body, _ = io.ReadAll(q.Body)
	if r.status/100 == 3 {
		w.Header().Set("Location", "/elsewhere")
	}
	w.WriteHeader(r.status)
}

const key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// hook makes a webhook that calls a server.
func hook(t *testing.T, url, format string, more map[string]any) *outlet.Hook {
	t.Helper()
	dir := t.TempDir()
	config := map[string]any{"name": "chat", "url": url, "format": format, "secret_file": "key"}
	for k, v := range more {
		config[k] = v
	}
	text, err := json.Marshal(map[string]any{"webhooks": []any{config}})
	if err == nil {
		err = errors.Join(os.WriteFile(filepath.Join(dir, "notices.json"), text, 0o600), os.WriteFile(filepath.Join(dir, "key"), []byte(key+"\n"), 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := outlet.Load(filepath.Join(dir, "notices.json"))
	if err != nil {
		t.Fatal(err)
	}
	any := func(context.Context, string, string, syscall.RawConn) error { return nil }
	return outlet.NewHook(f.Webhooks[0], outlet.HookOptions{Judge: any, Now: func() time.Time { return time.Unix(1_700_000_000, 0) }})
}

var call = notices.Call{
	ID: "n1", Text: `ada *approved* <!channel> & "x"`, Todo: "Look", URL: "https://agora.example.com/requests#req-1", Node: "https://agora.example.com",
	Event: abi.Event{Rev: 7, At: time.Unix(1_600_000_000, 0), Actor: "ada", Kind: "request.approved", App: "shop", Subject: "req-1", Detail: map[string]string{"reason": "</script>"}},
}

// TestWebhook: each format is what its receiver reads, with its button a plain link; what is signed is
// signed as Standard Webhooks verifies it.
func TestWebhook(t *testing.T) {
	r := &receiver{status: 204}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	if err := hook(t, server.URL, "cloudevents", nil).Send(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	var e struct {
		SpecVersion, ID, Source, Type, Subject, Time, Sequence string
		Data                                                   struct {
			Event abi.Event
			URL   string
		}
	}
	if err := json.Unmarshal(r.body, &e); err != nil || e.SpecVersion != "1.0" || e.ID != "n1" || e.Source != call.Node || e.Type != "host.agora.request.approved" || e.Subject != "req-1" || e.Time != "2020-09-13T12:26:40Z" || e.Data.Event.Rev != 7 || e.Data.URL != call.URL {
		t.Errorf("%s, %v", r.body, err)
	}
	raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(key, "whsec_"))
	h := hmac.New(sha256.New, raw)
	h.Write([]byte(r.header.Get("Webhook-Id") + "." + r.header.Get("Webhook-Timestamp") + "." + string(r.body)))
	if want := "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil)); r.header.Get("Webhook-Signature") != want || r.header.Get("Webhook-Id") != "n1" || r.header.Get("Webhook-Timestamp") != "1700000000" || !strings.HasPrefix(r.header.Get("Content-Type"), "application/cloudevents+json") {
		t.Errorf("%v", r.header)
	}
	for format, want := range map[string]string{"slack": `"type":"button","url":"https://agora.example.com/requests#req-1"`, "teams": `"type":"Action.OpenUrl","url":"https://agora.example.com/requests#req-1"`} {
		if err := hook(t, server.URL, format, nil).Send(t.Context(), call); err != nil || !strings.Contains(string(r.body), want) || strings.Contains(string(r.body), "<!channel>") {
			t.Errorf("%s: %s, %v", format, r.body, err)
		}
	}
}

// TestWebhookErrors: a redirect is not followed, an address that may not be reached is not, and the
// address, which can be a secret, is in no error.
func TestWebhookErrors(t *testing.T) {
	r := &receiver{}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	for status, refused := range map[int]bool{302: false, 307: false, 400: false, 410: true, 500: false} {
		before := r.calls.Load()
		r.status = status
		if err := hook(t, server.URL+"/T0/secret", "slack", nil).Send(t.Context(), call); err == nil || notices.Refused(err) != refused || r.calls.Load() != before+1 || strings.Contains(err.Error(), "secret") {
			t.Errorf("%d: %v", status, err)
		}
	}
	server.Close()
	if err := hook(t, server.URL+"/T0/secret", "slack", nil).Send(t.Context(), call); err == nil || notices.Refused(err) || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

// TestLoad: what is wrong with a file is told in words, before anything is sent.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"key": key, "short": "whsec_AAAA", "lines": "a\nb", "pw": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]string{
		`{"mail":{"server":"smtp.example.com","from":"a@example.com","user":"a","password_file":"pw"}}`: "",
		`{"mail":{"server":"smtp.example.com","from":"a@example.com","tls":"none"}}`:                    "this machine alone",
		`{"mail":{"server":"smtp.example.com","from":"a@example.com","tls":"ssl"}}`:                     "starttls, tls or none",
		`{"mail":{"server":"smtp.example.com","from":"a@example.com","user":"a"}}`:                      "belong together",
		`{"mail":{"server":"smtp.example.com","from":"a@example.com","user":"a","password_file":"no"}}`: "read the password",
		`{"mail":{"server":"smtp.example.com","from":"a@example.com\r\nBcc: b@example.com"}}`:           "from is who",
		`{"mail":{"server":"https://smtp.example.com","from":"a@example.com"}}`:                         "server is a host",
		`{"mail":{"server":"","from":"a@example.com"}}`:                                                 "server is a host",
		`{"mail":{"server":"smtp.example.com","from":"a@example.com","ca_file":"key"}}`:                 "no certificates",
		`{"mial":{}}`:       "mial",
		`{} {}`:             "follows",
		"{\n\n\"mail\": 1}": ":3:",
		`{"webhooks":[{"name":"a","url":"https://h.example.com/x","secret_file":"key","kinds":["request.*"]}]}`:                                      "",
		`{"webhooks":[{"name":"a","url":"https://h.example.com/x"}]}`:                                                                                "openssl rand",
		`{"webhooks":[{"name":"a","url":"https://h.example.com/x","secret_file":"short"}]}`:                                                          "24 to 64 bytes",
		`{"webhooks":[{"name":"a","url":"https://h.example.com/x","secret_file":"lines"}]}`:                                                          "one line",
		`{"webhooks":[{"name":"A b","url":"https://h.example.com/x","format":"slack"}]}`:                                                             "lower-case",
		`{"webhooks":[{"name":"a","url":"http://h.example.com/x","format":"slack"}]}`:                                                                "its address",
		`{"webhooks":[{"name":"a","url":"https://u:p@h.example.com/x","format":"slack"}]}`:                                                           "its address",
		`{"webhooks":[{"name":"a","format":"slack"}]}`:                                                                                               "url_file",
		`{"webhooks":[{"name":"a","url":"https://h.example.com/x","format":"irc"}]}`:                                                                 "cloudevents, slack or teams",
		`{"webhooks":[{"name":"a","url":"https://h.example.com/x","format":"slack","kinds":["no.such"]}]}`:                                           "no kind of events",
		`{"webhooks":[{"name":"a","url":"https://h.example.com/x","format":"slack"},{"name":"a","url":"https://h.example.com/x","format":"slack"}]}`: "two webhooks",
	} {
		path := filepath.Join(dir, "notices.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := outlet.Load(path)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %+v, %v", text, f, err)
		}
	}
}
