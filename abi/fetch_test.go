package abi_test

import (
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
)

func TestParseOrigin(t *testing.T) {
	for text, want := range map[string]string{
		"https://api.example.com":       "https://api.example.com",
		"HTTPS://API.Example.com.:443":  "https://api.example.com",
		"http://api.example.com:443":    "http://api.example.com:443",
		"https://intranet:8443":         "https://intranet:8443",
		"https://under_score.example":   "https://under_score.example",
		"https://xn--bcher-kva.example": "https://xn--bcher-kva.example",
		"http://127.0.0.1:80":           "http://127.0.0.1",
		"http://[2001:DB8:0:0::1]:8080": "http://[2001:db8::1]:8080",
		"https://[::1]":                 "https://[::1]",
	} {
		o, err := abi.ParseOrigin(text)
		if err != nil || o.String() != want {
			t.Errorf("%s: %q, %v", text, o, err)
		}
	}
	for _, text := range []string{
		"", "https://", "api.example.com", "//api.example.com", "ftp://api.example.com", "https://api.example.com/", "https://u@api.example.com", "https://u:p@api.example.com",
		"https://api.example.com:0", "https://api.example.com:", "https://api.example.com:065", "https://api.example.com:70000", "https://api.example.com:http",
		"https://1.2.3", "https://1", "https://0x7f000001", "https://0x7f.1", "https://0177.0.0.1", "https://1.2.3.4.5", "https://127.0.0.256", "https://a.1", "https://a.0x",
		"https://[::ffff:127.0.0.1]", "https://[::1", "https://[::1]x", "https://[fe80::1%eth0]", "https://[1.2.3.4]", "https://::1",
		"https://bücher.example", "https://a..b", "https://.a", "https://a..", "https://-a.b", "https://a-.b", "https://a b", "https://a%2eb", "https://*.a.b", "https://a.b?x", "https://a.b#x", "https://a\\b",
		"https://" + strings.Repeat("a", 64) + ".b", "https://" + strings.Repeat("a.", 127) + "b",
	} {
		if o, err := abi.ParseOrigin(text); err == nil {
			t.Errorf("%q is read as %s", text, o)
		}
	}
}

func TestOriginPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, origin string
		want            bool
	}{
		{"https://a.example", "https://a.example", true},
		{"https://a.example", "https://a.example:443", true},
		{"https://a.example", "http://a.example:443", false},
		{"https://a.example", "https://a.example:444", false},
		{"https://a.example", "https://b.a.example", false},
		{"https://*.a.example", "https://b.a.example", true},
		{"https://*.a.example:8443", "https://b.a.example:8443", true},
		{"https://*.a.example:8443", "https://b.a.example", false},
		{"https://*.a.example", "https://a.example", false},
		{"https://*.a.example", "https://c.b.a.example", false},
		{"https://*.a.example", "https://ba.example", false},
		{"http://127.0.0.1", "http://127.0.0.1", true},
	} {
		p, err := abi.ParseOriginPattern(c.pattern)
		if err != nil || p.String() != c.pattern {
			t.Fatalf("%s: %s, %v", c.pattern, p, err)
		}
		o, err := abi.ParseOrigin(c.origin)
		if err != nil || p.Allows(o) != c.want {
			t.Errorf("%s and %s: %v, %v", c.pattern, c.origin, p.Allows(o), err)
		}
	}
	for _, text := range []string{"https://*.com", "https://*", "https://*.", "https://*.*.a.b", "https://a.*.b", "https://*a.b.c", "https://*.1.2.3.4", "https://*.127.0.0.1", "https://*.[::1]"} {
		if p, err := abi.ParseOriginPattern(text); err == nil {
			t.Errorf("%q is read as %s", text, p)
		}
	}
}

func TestParseFetchCredential(t *testing.T) {
	c, err := abi.ParseFetchCredential("crm@https://crm.example.com")
	if v, ok := c.Value("s3cret\n"); err != nil || c.Header != "Authorization" || v != "Bearer s3cret" || !ok {
		t.Errorf("%+v, %q, %v", c, v, err)
	}
	c, err = abi.ParseFetchCredential("key:X-Api-Key@http://127.0.0.1:8080")
	if v, ok := c.Value("k3y"); err != nil || c.Header != "X-Api-Key" || v != "k3y" || !ok {
		t.Errorf("%+v, %q, %v", c, v, err)
	}
	if _, ok := c.Value("a\r\nb"); ok {
		t.Error("a secret with a line break can be sent")
	}
	for _, text := range []string{"", "crm", "@https://a.example", "crm@", "crm@a.example", "crm@http://a.example", "crm@http://10.0.0.1", "crm:@https://a.example", "crm:Host@https://a.example", "crm:X Y@https://a.example", "c r@https://a.example", "crm@https://*.a.example"} {
		if c, err := abi.ParseFetchCredential(text); err == nil {
			t.Errorf("%q is read as %+v", text, c)
		}
	}
}

// FuzzOrigin: there is one way to write an origin, and what is read has no other
// meaning for whoever reads the same text.
func FuzzOrigin(f *testing.F) {
	for _, text := range []string{"https://a.example:8443", "http://[::1]:80", "https://*.a.example", "http://127.0.0.1", "http://0x7f.1", "http://a@b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := abi.ParseOriginPattern(text)
		if err != nil {
			return
		}
		again, err := abi.ParseOriginPattern(p.String())
		if err != nil || again != p {
			t.Fatalf("%q is %s, which is %s, %v", text, p, again, err)
		}
		if strings.ContainsAny(p.Host, "/@\\?#% \r\n") || p.Port == 0 {
			t.Fatalf("%q has the host %q and the port %d", text, p.Host, p.Port)
		}
	})
}

// FuzzFetch: what is let through can be written into a request without meaning
// more than it says.
func FuzzFetch(f *testing.F) {
	f.Add(abi.AppendRequest(nil, &abi.Request{Method: "GET", Host: "https://a.example", Path: "/p", Query: "q=1", Header: []abi.Field{{Name: "Accept", Value: "a"}}, Body: []byte("b")}))
	f.Fuzz(func(t *testing.T, frame []byte) {
		r, errno := abi.DecodeFetch(frame)
		if errno != abi.ErrnoOK {
			return
		}
		line := r.Method + r.Path + r.Query
		for _, h := range r.Header {
			if strings.ContainsAny(h.Name, " :\r\n") || strings.ContainsAny(h.Value, "\r\n\x00") || strings.EqualFold(h.Name, "host") {
				t.Fatalf("the header %q: %q", h.Name, h.Value)
			}
		}
		if strings.ContainsAny(line, " \r\n#") || !strings.HasPrefix(r.Path, "/") {
			t.Fatalf("the request line %q %q %q", r.Method, r.Path, r.Query)
		}
	})
}
