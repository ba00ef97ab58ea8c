package webhook_test

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/agora-host/agora/triggers/webhook"
)

// TestHandshake: each service's own way to ask, and what is no handshake.
func TestHandshake(t *testing.T) {
	const text = "[{Content-Type text/plain; charset=utf-8}]"
	for _, k := range []struct{ what, method, query, header, want string }{
		{"Dropbox", "GET", "?challenge=a%20%3Cb%3E", "", "200 " + text + " a <b>"},
		{"Microsoft Graph", "POST", "?validationToken=Validation%3A+x%2By", "", "200 " + text + " Validation: x+y"},
		{"SharePoint", "POST", "?validationtoken=x", "", "200 " + text + " x"},
		{"CloudEvents", "OPTIONS", "", "eventemitter.example.com", "200 [{Allow GET, HEAD, OPTIONS, POST} {WebHook-Allowed-Origin eventemitter.example.com} {WebHook-Allowed-Rate *}] "},
		{"OPTIONS of anybody", "OPTIONS", "", "", "200 [{Allow GET, HEAD, OPTIONS, POST}] "},
		{"HEAD", "HEAD", "?challenge=x", "", "200 [] "},
		{"a plain GET", "GET", "", "", ""},
		{"a GET without a text", "GET", "?challenge=", "", ""},
		{"a challenge that would have to be signed", "GET", "?crc_token=x", "", ""},
		{"a subscription, which is the app's", "GET", "?hub.mode=subscribe&hub.challenge=x", "", ""},
		{"a POST with another's parameter", "POST", "?challenge=x", "", ""},
		{"another method", "DELETE", "?challenge=x", "", ""},
	} {
		r := httptest.NewRequest(k.method, "http://app.test/hook"+k.query, nil)
		if k.header != "" {
			r.Header.Set("WebHook-Request-Origin", k.header)
		}
		reply, known := webhook.Handshake(r)
		got := ""
		if known {
			got = fmt.Sprintf("%d %v %s", reply.Status, reply.Header, reply.Body)
		}
		if got != k.want {
			t.Errorf("%s: %q, want %q", k.what, got, k.want)
		}
	}
}

func TestSlackChallenge(t *testing.T) {
	for body, want := range map[string]string{
		`{"type":"url_verification","challenge":"c"}`: "c", `{"token":"x","challenge":"3eZ\u00e9","type":"url_verification"}`: "3eZé",
		`{"type":"event_callback","challenge":"c"}`: "", `{"type":"url_verification"}`: "", `{"type":"url_verification","challenge":7}`: "", "type=url_verification": "", "": "", "null": "",
	} {
		if reply, ok := webhook.Challenge("slack", []byte(body)); string(reply.Body) != want || ok != (want != "") {
			t.Errorf("%s: %+v, %v", body, reply, ok)
		}
		if reply, ok := webhook.Challenge("github", []byte(body)); ok {
			t.Errorf("%s of another scheme: %+v", body, reply)
		}
	}
}
