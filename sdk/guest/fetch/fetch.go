package fetch

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/agora-host/agora/abi"
)

// Request is what to ask. The node sets Host and all that is about the
// connection; a request that tries to is refused.
type Request struct {
	Method string // "" means GET
	URL    string // "https://api.example.com/v1/things?n=1"
	Header []abi.Field
	Body   []byte
}

// Response is what the other side answered, whatever its status.
type Response struct{ abi.Response }

// Do asks. Both bodies are whole in the app's memory: nothing is streamed. An error
// wraps an abi.Errno: abi.ErrnoDenied if agora.toml does not list the origin, it is
// not granted, or it leads where apps may not go; abi.ErrnoTooLarge if a body is
// larger than max_request or max_response (a response is not cut off);
// abi.ErrnoQuota, abi.ErrnoDeadline, or abi.ErrnoUnavailable. The app's log says more.
func Do(r Request) (Response, error) {
	u, err := url.Parse(r.URL)
	if err != nil || u.User != nil || u.Opaque != "" {
		return Response{}, fmt.Errorf("fetch %q: %w", r.URL, abi.ErrnoInvalid)
	}
	q := abi.Request{Method: r.Method, Host: u.Scheme + "://" + u.Host, Path: u.EscapedPath(), Query: u.RawQuery, Header: r.Header, Body: r.Body}
	if q.Method == "" {
		q.Method = "GET"
	}
	if q.Path == "" {
		q.Path = "/"
	}
	frame, err := do(abi.AppendRequest(nil, &q))
	if err != nil {
		return Response{}, fmt.Errorf("fetch %s: %w", q.Host, err)
	}
	answer, err := abi.DecodeResponse(frame)
	return Response{answer}, err
}

// Get asks with GET.
func Get(url string) (Response, error) { return Do(Request{URL: url}) }

// Post sends a body.
func Post(url, contentType string, body []byte) (Response, error) {
	return Do(Request{Method: "POST", URL: url, Header: []abi.Field{{Name: "Content-Type", Value: contentType}}, Body: body})
}

// HeaderValue reads the first header of a name, in any case.
func (r Response) HeaderValue(name string) string {
	for _, f := range r.Header {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// JSON reads the body into v.
func (r Response) JSON(v any) error { return json.Unmarshal(r.Body, v) }
