package webhook

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/agora-host/agora/abi"
)

// ErrMethod: a request to a webhook's address is neither a webhook nor a handshake.
var ErrMethod = errors.New("this address does not take that method")

// Methods are the methods that a webhook's address takes, for an Allow header.
const Methods = "GET, HEAD, OPTIONS, POST"

// Handshake returns the response to a request, without a body and without a signature, by which a
// service asks whether an address takes its webhooks. known is false if r is none that is answered
// for any app:
//
//   - HEAD, by which some look whether the address exists;
//   - OPTIONS: CloudEvents' WebHook-Request-Origin gets what it asks for (HTTP 1.1 Web Hooks for
//     Event Delivery, section 4), and everything else the methods;
//   - GET with ?challenge= (Dropbox), GET or POST with ?validationToken= (Microsoft Graph): the
//     text comes back.
//
// To agree costs nothing: what comes then is taken only if it is signed with the app's secret.
// Challenges that are to be signed, such as ?crc_token=, are not here: who signs what a stranger
// sends signs forged webhooks, too.
func Handshake(r *http.Request) (reply abi.Response, known bool) {
	switch r.Method {
	case http.MethodHead:
		return abi.Response{Status: http.StatusOK}, true
	case http.MethodOptions:
		return options(r.Header), true
	case http.MethodGet, http.MethodPost:
		for name, values := range r.URL.Query() {
			if values[0] != "" && (strings.EqualFold(name, "validationToken") || name == "challenge" && r.Method == http.MethodGet) {
				return echo(values[0]), true
			}
		}
	}
	return abi.Response{}, false
}

func options(h http.Header) abi.Response {
	reply := abi.Response{Status: http.StatusOK, Header: []abi.Field{{Name: "Allow", Value: Methods}}}
	if origin := h.Get("WebHook-Request-Origin"); origin != "" {
		reply.Header = append(reply.Header, abi.Field{Name: "WebHook-Allowed-Origin", Value: origin}, abi.Field{Name: "WebHook-Allowed-Rate", Value: "*"})
	}
	return reply
}

// echo is plain text, which no browser takes for a page.
func echo(text string) abi.Response {
	return abi.Response{Status: http.StatusOK, Header: []abi.Field{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}}, Body: []byte(text)}
}

// AboutSubscription reports whether a query is one of the hub.mode family: Meta's, WebSub's and
// what is modelled after them. To agree to those in an app's name would be wrong: hub.verify_token
// is the app's to know, and of WebSub anybody may ask to end a subscription, or to change its
// secret.
func AboutSubscription(query url.Values) bool { return query.Get("hub.mode") != "" }

// Challenge returns the response to a signed request by which Slack asks whether an address takes
// its events (docs.slack.dev, "url_verification"); ok is false for all other requests.
func Challenge(scheme string, body []byte) (reply abi.Response, ok bool) {
	if scheme != "slack" {
		return reply, false
	}
	var asked struct{ Type, Challenge string }
	if json.Unmarshal(body, &asked) != nil || asked.Type != "url_verification" || asked.Challenge == "" {
		return reply, false
	}
	return echo(asked.Challenge), true
}
