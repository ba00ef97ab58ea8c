package fetch_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/abitest"
	"github.com/agora-host/agora/host/capability/fetch"
)

// TestMeters: what left and what came back is noted, on the origin.
func TestMeters(t *testing.T) {
	w := newWorld(t)
	w.addr("good.example", "127.0.0.1")
	good := "http://good.example:" + w.port()
	w.handle = func(rw http.ResponseWriter, r *http.Request) {
		rw.Header()["Date"] = nil
		rw.Header().Set("X-Said", r.Header.Get("X-Say"))
		fmt.Fprintf(rw, "%s %s %s", r.Method, r.RequestURI, body(r))
	}
	link := w.capability().Bind(fetch.App{Name: "a"}, params(good))
	got := call(t, link, abi.Request{Method: "POST", Host: good, Path: "/p%2Fq", Query: "x=1", Header: []abi.Field{{Name: "x-say", Value: "hi"}}, Body: []byte("12345")})
	if got.Status != 200 || string(got.Body) != "POST /p%2Fq?x=1 12345" {
		t.Fatalf("%v %d %q", got.errno, got.Status, got.Body)
	}
	want := map[string]uint64{
		"calls " + good:          1,
		"bytes_sent " + good:     uint64(len("POST" + "/p%2Fq?x=1" + "X-Say" + "hi" + "User-Agent" + "agora" + "12345")),
		"bytes_received " + good: uint64(len("X-Said" + "hi" + "Content-Length" + "21" + "Content-Type" + "text/plain; charset=utf-8" + "POST /p%2Fq?x=1 12345")),
	}
	if !maps.Equal(got.uses, want) {
		t.Errorf("noted %v, want %v", got.uses, want)
	}
	if got := call(t, link, get("https://elsewhere.example", "/")); !maps.Equal(got.uses, map[string]uint64{"denied https://elsewhere.example": 1}) {
		t.Errorf("denied: %v", got.uses)
	}
}

// TestLimits: each bound of a grant and of the node, and what the app is told.
func TestLimits(t *testing.T) {
	w := newWorld(t)
	w.addr("good.example", "127.0.0.1")
	w.addr("closed.example", "127.0.0.1")
	good := "http://good.example:" + w.port()
	release := make(chan struct{})
	t.Cleanup(sync.OnceFunc(func() { close(release) }))
	w.handle = func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			_, _ = rw.Write(make([]byte, 100_001))
		case "/endless":
			for r.Context().Err() == nil {
				_, _ = rw.Write(make([]byte, 4096))
			}
		case "/just":
			_, _ = rw.Write(make([]byte, 100_000))
		case "/headers":
			rw.Header().Set("X", strings.Repeat("x", 80<<10))
		case "/many":
			for i := range 300 {
				rw.Header().Set(fmt.Sprintf("X-%d", i), "1")
			}
		case "/slow":
			select {
			case <-release:
			case <-r.Context().Done():
			}
		case "/breaks":
			rw.Header().Set("Content-Length", "100")
			fmt.Fprint(rw, "half")
			panic(http.ErrAbortHandler)
		case "/gzip":
			rw.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(rw, "as it came", r.Header.Get("Accept-Encoding"))
		case "/strange":
			rw.WriteHeader(999)
		}
	}
	grant := params(good, "http://closed.example:1", "http://nowhere.example")
	o := &told{}
	f := w.capability(func(op *fetch.Options) { op.Tell = o.tell })
	link := f.Bind(fetch.App{Name: "a"}, grant)
	for path, want := range map[string]abi.Errno{
		"/large": abi.ErrnoTooLarge, "/endless": abi.ErrnoTooLarge, "/just": 0, "/headers": abi.ErrnoUnavailable, "/many": abi.ErrnoUnavailable,
		"/breaks": abi.ErrnoUnavailable, "/gzip": 0, "/strange": abi.ErrnoUnavailable,
	} {
		got := call(t, link, get(good, path))
		if got.errno != want || path == "/gzip" && string(got.Body) != "as it came" {
			t.Errorf("%s: %v %q", path, got.errno, got.Body)
		}
		if failed := got.uses["failed "+good]; (failed == 1) != (want != 0) || got.uses["calls "+good] != 1 {
			t.Errorf("%s: noted %v", path, got.uses)
		}
	}
	if got := call(t, link, get("http://closed.example:1", "/")); got.errno != abi.ErrnoUnavailable || got.uses["calls http://closed.example:1"] != 0 {
		t.Errorf("nobody listens: %v %v", got.errno, got.uses)
	}
	if got := call(t, link, get("http://nowhere.example", "/")); got.errno != abi.ErrnoUnavailable {
		t.Errorf("no such name: %v", got.errno)
	}
	t.Run("body", func(t *testing.T) {
		grant["max_request"] = "10"
		for size, want := range map[int]abi.Errno{10: 0, 11: abi.ErrnoTooLarge} {
			r := get(good, "/")
			r.Method, r.Body = "POST", make([]byte, size)
			if got := call(t, f.Bind(fetch.App{Name: "a"}, grant), r); got.errno != want {
				t.Errorf("a body of %d bytes: %v", size, got.errno)
			}
		}
		if !slices.Contains(o.codes(), "fetch.max_request") {
			t.Errorf("the owner was told %v", o.codes())
		}
	})
	t.Run("deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		r := get(good, "/slow")
		_, errno := link[abi.FetchDo](ctx, abi.AppendRequest(nil, &r))
		if errno != abi.ErrnoDeadline {
			t.Error(errno)
		}
	})
	t.Run("calls", func(t *testing.T) {
		grant["max_calls"] = "2"
		link := f.Bind(fetch.App{Name: "a"}, grant)
		for range 2 { // invocations
			var rec abi.Recorder
			ctx := abi.WithRecorder(t.Context(), &rec)
			var errnos []abi.Errno
			for range 3 {
				r := get(good, "/")
				_, errno := link[abi.FetchDo](ctx, abi.AppendRequest(nil, &r))
				errnos = append(errnos, errno)
			}
			if fmt.Sprint(errnos) != fmt.Sprint([]abi.Errno{0, 0, abi.ErrnoQuota}) {
				t.Errorf("three calls of two: %v", errnos)
			}
			rec.End()
		}
		if !slices.Contains(o.codes(), "fetch.max_calls") {
			t.Errorf("the owner was told %v", o.codes())
		}
	})
	t.Run("nothing granted", func(t *testing.T) {
		for _, p := range []abi.Params{nil, {"allow": good}, {"allow": "*", "max_calls": "9"}, {"allow": "http://*", "max_calls": "9"}} {
			if got := call(t, f.Bind(fetch.App{Name: "a"}, p), get(good, "/")); got.errno == 0 {
				t.Errorf("%v allows a request", p)
			}
		}
	})
}

// TestAtOnce: one app does not take all of the node's connections, and the
// connections of one app are not another's.
func TestAtOnce(t *testing.T) {
	w := newWorld(t)
	w.addr("good.example", "127.0.0.1")
	good := "http://good.example:" + w.port()
	var mu sync.Mutex
	now, most, from := 0, 0, map[string]string{}
	w.handle = func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		now++
		most = max(most, now)
		app := r.Header.Get("X-App")
		if other, ok := from[r.RemoteAddr]; ok && other != app {
			t.Errorf("a connection of %s serves %s", other, app)
		}
		from[r.RemoteAddr] = app
		mu.Unlock()
		time.Sleep(2 * time.Millisecond)
		mu.Lock()
		now--
		mu.Unlock()
	}
	f := w.capability()
	ask := func(app string, n int) {
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				if got := call(t, f.Bind(fetch.App{Name: app}, params(good)), header(good, "X-App", app)); got.errno != 0 {
					t.Errorf("%s: %v", app, got.errno)
				}
			})
		}
		wg.Wait()
	}
	ask("a", 60)
	if most > 16 || most < 2 {
		t.Errorf("%d requests of one app at once", most)
	}
	ask("b", 30)
	ask("a", 10)
	if n := len(from); n >= 100 {
		t.Errorf("%d connections for 100 requests: none is kept", n)
	}
}

// TestFull: the node's connections have a bound, and what is only kept for later
// makes room.
func TestFull(t *testing.T) {
	w := newWorld(t)
	w.addr("good.example", "127.0.0.1")
	good := "http://good.example:" + w.port()
	arrived, release := make(chan struct{}), make(chan struct{})
	w.handle = func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			arrived <- struct{}{}
			<-release
		}
	}
	f := w.capability(func(o *fetch.Options) { o.MaxConnections = 2 })
	ask := func(app, path string) abi.Errno {
		return call(t, f.Bind(fetch.App{Name: app}, params(good)), get(good, path)).errno
	}
	for _, app := range []string{"a", "b", "c", "d"} { // each keeps its connection
		if errno := ask(app, "/"); errno != 0 {
			t.Errorf("%s: %v", app, errno)
		}
	}
	var wg sync.WaitGroup
	for _, app := range []string{"a", "b"} {
		wg.Go(func() {
			if errno := ask(app, "/wait"); errno != 0 {
				t.Errorf("%s: %v", app, errno)
			}
		})
		<-arrived
	}
	if errno := ask("c", "/"); errno != abi.ErrnoUnavailable {
		t.Errorf("a third connection of two: %v", errno)
	}
	close(release)
	wg.Wait()
	if errno := ask("c", "/"); errno != 0 {
		t.Errorf("when there is room again: %v", errno)
	}
}

// vault is a store of secrets.
type vault map[string]string

func (v vault) Open(_ context.Context, app, name string) ([]byte, error) {
	if s, ok := v[app+"/"+name]; ok {
		return []byte(s), nil
	}
	return nil, errors.New("no such secret")
}

// TestCredentials: a secret goes to its one origin, encrypted, and neither the
// app nor anybody a redirect leads to sees it.
func TestCredentials(t *testing.T) {
	w := newWorld(t)
	seen := map[string][]string{} // by host: what came there
	var location string
	s, roots := w.secure(func(rw http.ResponseWriter, r *http.Request) {
		host, _, _ := strings.Cut(r.Host, ":")
		seen[host] = append(seen[host], r.Header.Get("Authorization")+"|"+r.Header.Get("X-Key")+"|"+r.Header.Get("Cookie")+"|"+r.Header.Get("Accept"))
		if r.Proto != "HTTP/1.1" {
			t.Errorf("%s was spoken", r.Proto)
		}
		if r.URL.Path == "/go" {
			rw.Header().Set("Location", location)
			rw.WriteHeader(307)
		}
	})
	port := s.URL[strings.LastIndexByte(s.URL, ':')+1:]
	// The certificate of a test server is for this name and those below it.
	for _, name := range []string{"example.com", "www.example.com", "other.example.com"} {
		w.addr(name, "127.0.0.1")
	}
	crm, other := "https://example.com:"+port, "https://other.example.com:"+port
	o := &told{}
	secrets := vault{"a/crm": "s3cret\n", "a/key": "k3y", "a/bad": "x\r\nHost: evil", "b/own": "0wn"}
	f := w.capability(func(op *fetch.Options) { op.RootCAs, op.Secrets, op.Tell = roots, secrets, o.tell })
	p := params(crm, other, "http://plain.example.com:"+port)
	p["credentials"] = "crm@" + crm + " key:X-Key@" + crm
	link := f.Bind(fetch.App{Name: "a"}, p)
	own := []abi.Field{{Name: "Authorization", Value: "mine"}, {Name: "Cookie", Value: "c=1"}, {Name: "X-Key", Value: "m1ne"}, {Name: "Accept", Value: "text/html"}}
	for _, c := range []struct {
		name, origin, path, location string
		want                         string
	}{
		{"its origin", crm, "/", "", "map[example.com:[Bearer s3cret|k3y|c=1|text/html]]"},
		{"another origin", other, "/", "", "map[other.example.com:[mine|m1ne|c=1|text/html]]"},
		{"redirected within", crm, "/go", "/", "map[example.com:[Bearer s3cret|k3y|c=1|text/html Bearer s3cret|k3y|c=1|text/html]]"},
		{"redirected elsewhere", crm, "/go", other + "/", "map[example.com:[Bearer s3cret|k3y|c=1|text/html] other.example.com:[|||text/html]]"},
		{"redirected to it from elsewhere", other, "/go", crm + "/", "map[example.com:[|||text/html] other.example.com:[mine|m1ne|c=1|text/html]]"},
	} {
		clear(seen)
		location = c.location
		r := abi.Request{Method: "GET", Host: c.origin, Path: c.path, Header: own}
		if got := call(t, link, r); got.errno != 0 || fmt.Sprint(seen) != c.want {
			t.Errorf("%s: %v\ngot  %v\nwant %s", c.name, got.errno, seen, c.want)
		}
	}
	clear(seen)
	location = "http://plain.example.com:" + port + "/"
	if got := call(t, link, get(crm, "/go")); got.errno != abi.ErrnoDenied {
		t.Errorf("from https to http: %v", got.errno)
	}
	for _, c := range []struct{ name, app, credentials string }{
		{"another app's secret", "b", "crm@" + crm},
		{"a secret with a line break", "a", "bad@" + crm},
		{"a secret that is not there", "a", "none@" + crm},
	} {
		clear(seen)
		p["credentials"] = c.credentials
		if got := call(t, f.Bind(fetch.App{Name: c.app}, p), get(crm, "/")); got.errno != abi.ErrnoUnavailable || len(seen) > 0 {
			t.Errorf("%s: %v, %v", c.name, got.errno, seen)
		}
	}
	if text := fmt.Sprint(o.findings); strings.Contains(text, "s3cret") || !strings.Contains(text, "fetch.credential") {
		t.Errorf("the owner was told %s", text)
	}
	t.Run("TLS", func(t *testing.T) {
		stranger := w.capability(func(op *fetch.Options) { op.RootCAs, op.Secrets = x509.NewCertPool(), secrets })
		clear(seen)
		if got := call(t, stranger.Bind(fetch.App{Name: "a"}, p), get(other, "/")); got.errno != abi.ErrnoUnavailable || len(seen) > 0 {
			t.Errorf("a certificate of a stranger: %v", got.errno)
		}
	})
}

// TestNoAmbientProxy: what is set in the node's environment is not for apps.
func TestNoAmbientProxy(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, "http://"+w.inside)
	}
	w.addr("good.example", "127.0.0.1")
	good := "http://good.example:" + w.port()
	if got := call(t, w.capability().Bind(fetch.App{Name: "a"}, params(good)), get(good, "/")); string(got.Body) != "outside" || w.accepts.Load() > 0 {
		t.Errorf("%v %q", got.errno, got.Body)
	}
}

// TestFetch is the table that the SDK's stand-in answers, too.
func TestFetch(t *testing.T) {
	w := newWorld(t)
	w.addr("good.example", "127.0.0.1")
	w.handle = func(rw http.ResponseWriter, r *http.Request) {
		q := abi.Request{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Body: []byte(body(r))}
		for name, values := range r.Header {
			q.Header = append(q.Header, abi.Field{Name: name, Value: values[0]})
		}
		answer := abitest.Echo(q)
		for _, f := range answer.Header {
			rw.Header().Set(f.Name, f.Value)
		}
		rw.WriteHeader(answer.Status)
		_, _ = rw.Write(answer.Body)
	}
	good := "http://good.example:" + w.port()
	abitest.Fetch(t, good, w.capability().Bind(fetch.App{Name: "a"}, params(good)))
}
