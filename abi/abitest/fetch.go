package abitest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
)

// Echo is what has to serve at the origin that Fetch is run with.
func Echo(r abi.Request) abi.Response {
	answer := abi.Response{Status: 200, Body: []byte(r.Method + " " + r.Path + "?" + r.Query + " " + string(r.Body))}
	for _, f := range r.Header {
		if strings.EqualFold(f.Name, "X-Say") {
			answer.Header = append(answer.Header, abi.Field{Name: "X-Said", Value: f.Value})
		}
	}
	if r.Path == "/missing" {
		answer.Status = 404
	}
	return answer
}

// Fetch runs the table of fetch against a link that may ask an origin, at which
// Echo answers, and no other.
func Fetch(t *testing.T, origin string, link abi.Link) {
	complete(t, "fetch", link)
	get := abi.Request{Method: "GET", Host: origin, Path: "/"}
	with := func(change func(*abi.Request)) abi.Request {
		r := get
		change(&r)
		return r
	}
	header := func(name, value string) abi.Request {
		return with(func(r *abi.Request) { r.Header = []abi.Field{{Name: name, Value: value}} })
	}
	for _, c := range []struct {
		name  string
		in    abi.Request
		errno abi.Errno
		want  string // status, body and what X-Said says
	}{
		{"the simplest", get, 0, "200 GET /?  "},
		{"everything", abi.Request{Method: "PUT", Host: origin, Path: "/a%2Fb", Query: "q=%20", Header: []abi.Field{{Name: "x-say", Value: "hi"}}, Body: []byte("body")}, 0, "200 PUT /a%2Fb?q=%20 body hi"},
		{"an origin in other letters", with(func(r *abi.Request) { r.Host = strings.ToUpper(origin) }), 0, "200 GET /?  "},
		{"what is not there", with(func(r *abi.Request) { r.Path = "/missing" }), 0, "404 GET /missing?  "},
		{"another origin", with(func(r *abi.Request) { r.Host = "https://elsewhere.example" }), abi.ErrnoDenied, ""},
		{"no origin", with(func(r *abi.Request) { r.Host = "elsewhere.example" }), abi.ErrnoInvalid, ""},
		{"no method", with(func(r *abi.Request) { r.Method = "" }), abi.ErrnoInvalid, ""},
		{"a tunnel", with(func(r *abi.Request) { r.Method = "CONNECT" }), abi.ErrnoInvalid, ""},
		{"no path", with(func(r *abi.Request) { r.Path = "" }), abi.ErrnoInvalid, ""},
		{"a path that is broken", with(func(r *abi.Request) { r.Path = "/%zz" }), abi.ErrnoInvalid, ""},
		{"a line break", with(func(r *abi.Request) { r.Query = "a\r\nb" }), abi.ErrnoInvalid, ""},
		{"another host in a header", header("Host", "elsewhere.example"), abi.ErrnoInvalid, ""},
		{"a header of two lines", header("X", "a\r\nb: c"), abi.ErrnoInvalid, ""},
		{"a header without a name", header("", "a"), abi.ErrnoInvalid, ""},
		{"too many bytes of headers", header("X", strings.Repeat("x", abi.MaxFetchHeader)), abi.ErrnoTooLarge, ""},
		{"too long a target", with(func(r *abi.Request) { r.Query = strings.Repeat("x", abi.MaxFetchTarget) }), abi.ErrnoTooLarge, ""},
	} {
		in := abi.AppendRequest(nil, &c.in)
		out, errno := link[abi.FetchDo](t.Context(), bytes.Clone(in))
		if got := fetched(t, out, errno); errno != c.errno || got != c.want {
			t.Errorf("%s: %v %q, want %v %q", c.name, errno, got, c.errno, c.want)
		}
	}
	if _, errno := link[abi.FetchDo](t.Context(), []byte("GET / HTTP/1.1")); errno != abi.ErrnoInvalid {
		t.Errorf("no frame: %v", errno)
	}
}

func fetched(t testing.TB, out []byte, errno abi.Errno) string {
	if errno != abi.ErrnoOK {
		return ""
	}
	r, err := abi.DecodeResponse(out)
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	for _, f := range r.Header {
		if f.Name == "X-Said" {
			said = f.Value
		}
	}
	return map[int]string{200: "200", 404: "404"}[r.Status] + " " + string(r.Body) + " " + said
}
