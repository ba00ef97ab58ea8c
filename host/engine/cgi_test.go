package engine_test

import (
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/engine"
)

// variables reads an environment. A name that is there twice is a failure: which of them a program
// sees depends on the program.
func variables(t *testing.T, env []string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, line := range env {
		name, value, _ := strings.Cut(line, "=")
		if _, twice := all[name]; twice {
			t.Errorf("%s is there twice: %q", name, env)
		}
		all[name] = value
	}
	return all
}

// TestCGIVariables: each meta-variable of RFC 3875, section 4.1, and those that servers set beside
// them. The columns of peers say what their documentation gives for the first request.
func TestCGIVariables(t *testing.T) {
	post := &abi.Request{
		Method: "POST", Path: "/a%20b/%C3%BC%2Fc", Query: "x=1&y=%20", Host: "app.example.com", Client: "2001:db8::1", Scheme: "https", Proto: "HTTP/1.0", Body: []byte("body"),
		Header: []abi.Field{
			{Name: "Accept", Value: "text/html"}, {Name: "accept", Value: "*/*"}, {Name: "Authorization", Value: "Basic eDp5"}, {Name: "Content-Length", Value: "99"}, {Name: "Content-Type", Value: "text/x"},
			{Name: "Cookie", Value: "a=1"}, {Name: "Cookie", Value: "b=2"}, {Name: "Host", Value: "other"}, {Name: "Proxy", Value: "evil"}, {Name: "X-Tag", Value: "one"}, {Name: "X-Tag", Value: "two"},
		},
	}
	get := &abi.Request{Method: "GET", Path: "/", Host: "[::1]:8080"}
	const none = "(not set)"
	for _, v := range []struct {
		name, post, get               string
		section, apache, goCGI, pyCGI string
	}{
		{"AUTH_TYPE", none, none, "4.1.1", "Basic, if Apache asked for it", none, "Basic"},
		{"CONTENT_LENGTH", "4", none, "4.1.2: if and only if there is a body", "4", "4", "4"},
		{"CONTENT_TYPE", "text/x", none, "4.1.3: if the request has one", "text/x", "text/x", "text/x"},
		{"GATEWAY_INTERFACE", "CGI/1.1", "CGI/1.1", "4.1.4", "CGI/1.1", "CGI/1.1", "CGI/1.1"},
		{"PATH_INFO", "/a b/ü/c", "/", "4.1.5: not encoded", "404 for %2F, otherwise decoded", "/a b/ü/c", "/a b/ü/c"},
		{"PATH_TRANSLATED", none, none, "4.1.6: may be left out", "a file", none, "a file"},
		{"QUERY_STRING", "x=1&y=%20", "", "4.1.7: encoded, and always set", "x=1&y=%20", "x=1&y=%20", "x=1&y=%20"},
		{"REMOTE_ADDR", "2001:db8::1", none, "4.1.8", "2001:db8::1", "2001:db8::1", "2001:db8::1"},
		{"REMOTE_HOST", "2001:db8::1", none, "4.1.9: REMOTE_ADDR, if the name is not looked up", none, "2001:db8::1", none},
		{"REMOTE_IDENT", none, none, "4.1.10: may be left out", none, none, none},
		{"REMOTE_USER", none, none, "4.1.11: only if AUTH_TYPE is set", "x, if Apache asked for it", none, "x"},
		{"REQUEST_METHOD", "POST", "GET", "4.1.12", "POST", "POST", "POST"},
		{"SCRIPT_NAME", "", "", "4.1.13", "/script", "the handler's root", "/cgi-bin/script"},
		{"SERVER_NAME", "app.example.com", "[::1]", "4.1.14: IPv6 in brackets", "app.example.com", "app.example.com", "the machine's name"},
		{"SERVER_PORT", "443", "8080", "4.1.15", "443", "80: a flaw", "the listener's"},
		{"SERVER_PROTOCOL", "HTTP/1.0", "HTTP/1.1", "4.1.16: of the request", "HTTP/1.0", "HTTP/1.1", "HTTP/1.0"},
		{"SERVER_SOFTWARE", "agora", "agora", "4.1.17", "Apache/2.4", "go", "SimpleHTTP/0.6"},
		{"HTTP_ACCEPT", "text/html, */*", none, "4.1.18: one value of the same meaning", "text/html, */*", "text/html, */*", "text/html,*/*"},
		{"HTTP_COOKIE", "a=1; b=2", none, "4.1.18, RFC 6265 section 5.4", "a=1, b=2", "a=1; b=2", "a=1, b=2"},
		{"HTTP_X_TAG", "one, two", none, "4.1.18", "one, two", "one, two", none},
		{"HTTP_AUTHORIZATION", "Basic eDp5", none, "4.1.18: may be left out", none, "Basic eDp5", none},
		{"HTTP_HOST", "app.example.com", "[::1]:8080", "4.1.18", "app.example.com", "app.example.com", none},
		{"HTTP_PROXY", none, none, "CVE-2016-5385", none, none, none},
		{"HTTP_CONTENT_TYPE", none, none, "4.1.18: may be left out", none, "text/x", none},
		{"HTTP_CONTENT_LENGTH", none, none, "4.1.18: may be left out", none, "99", none},
		{"HTTPS", "on", none, "none", "on", "on", none},
		{"REQUEST_SCHEME", "https", "http", "none", "https", none, none},
		{"REQUEST_URI", "/a%20b/%C3%BC%2Fc?x=1&y=%20", "/", "none", "as it was sent", "as it was sent", none},
	} {
		for r, want := range map[*abi.Request]string{post: v.post, get: v.get} {
			got, ok := variables(t, engine.Environment(r))[v.name]
			if !ok {
				got = none
			}
			if got != want {
				t.Errorf("%s of %s is %q, not %q (RFC 3875 section %s; Apache %s; net/http/cgi %s; Python %s)", v.name, r.Method, got, want, v.section, v.apache, v.goCGI, v.pyCGI)
			}
		}
	}
	if env := engine.Environment(&abi.Request{Method: "GET", Path: "/a%00B=1", Host: "h"}); strings.Contains(strings.Join(env, ""), "\x00") || !slices.Contains(env, "PATH_INFO=/a%00B=1") {
		t.Errorf("a zero byte in a path: %q", env)
	}
}

// TestCGILikeItsPeer: what net/http/cgi gives to a program is what a command is given, but for what
// is named here.
func TestCGILikeItsPeer(t *testing.T) {
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("there is no /bin/sh for the peer to run")
	}
	own := map[string]string{
		"SERVER_SOFTWARE": "each its own", "SCRIPT_FILENAME": "no files are served", "REMOTE_PORT": "a proxy does not say it", "REQUEST_SCHEME": "Apache's", "HTTP_CONTENT_TYPE": "it is CONTENT_TYPE",
		"PATH": "the peer's machine", "PWD": "the shell's", "SHLVL": "the shell's", "_": "the shell's", "OLDPWD": "the shell's",
	}
	for _, target := range []string{"http://app.test:8080/", "http://app.test:8080/a%20b/c%2Fd?x=%20&y", "http://app.test:8080/x.php/y?"} {
		for _, body := range []string{"", "a=1"} {
			r := httptest.NewRequest("POST", target, strings.NewReader(body))
			r.RemoteAddr = "192.0.2.7:4711"
			r.Header = http.Header{"Accept": {"a", "b"}, "Cookie": {"a=1", "b=2"}, "User-Agent": {"x"}, "X-Tag": {"one", "two"}, "Proxy": {"evil"}}
			if body != "" {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			w := httptest.NewRecorder()
			(&cgi.Handler{Path: "/bin/sh", Args: []string{"-c", `printf 'Content-Type: text/plain\n\n'; env`}, Root: "/"}).ServeHTTP(w, r)
			peer := variables(t, strings.Split(strings.TrimSpace(w.Body.String()), "\n"))
			frame := &abi.Request{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Host: r.Host, Body: []byte(body), Client: "192.0.2.7", Scheme: "http", Proto: r.Proto}
			for name, values := range r.Header {
				for _, v := range values {
					frame.Header = append(frame.Header, abi.Field{Name: name, Value: v})
				}
			}
			ours := variables(t, engine.Environment(frame))
			if len(peer) < 10 {
				t.Fatalf("the peer gave %q", w.Body)
			}
			for _, name := range slices.Concat(keys(peer), keys(ours)) {
				if peer[name] != ours[name] && own[name] == "" && (name != "REQUEST_URI" || peer[name] != ours[name]+"?") {
					t.Errorf("%s, body %q: %s is %q, and %q of net/http/cgi", target, body, name, ours[name], peer[name])
				}
			}
		}
	}
}

func keys(m map[string]string) (all []string) {
	for k := range m {
		all = append(all, k)
	}
	return all
}
