package certificates_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/internal/certificates"
	"github.com/agora-host/agora/internal/certificates/certtest"
)

// shop is a store with a directory, and a listener that shows its certificates.
type shop struct {
	*certificates.Store
	t       *testing.T
	d       *certtest.Directory
	dir     string
	ahead   atomic.Int64 // a time.Duration: how far the store's clock is
	unknown atomic.Pointer[string]
	addr    net.Addr
}

func open(t *testing.T, d *certtest.Directory, dir string, eager ...string) *shop {
	t.Helper()
	s := &shop{t: t, d: d, dir: dir}
	s.know("")
	var err error
	s.Store, err = certificates.Open(certificates.Options{
		Directory: d.URL, Dir: dir, Eager: eager, HTTP: d.Client(),
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Now: func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) },
		Known: func(_ context.Context, name string) error {
			if !strings.HasSuffix(name, ".test") || name == *s.unknown.Load() {
				return certificates.ErrUnknown
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", s.Config())
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr()
	ctx, stop := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { s.Issue(ctx) })
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				_ = c.SetDeadline(time.Now().Add(5 * time.Second))
				_ = c.(*tls.Conn).Handshake()
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() { stop(); _ = l.Close(); group.Wait() })
	return s
}

func (s *shop) know(allBut string) { s.unknown.Store(&allBut) }

// validate has the directory look at the shop, and issue for a time.
func (s *shop) validate(life time.Duration) {
	s.d.Validate(1, s.addr.(*net.TCPAddr).Port, life)
	s.Again()
}

// ask returns what a client is told that asks for a name.
func (s *shop) ask(name string) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	return s.Ask(ctx, name)
}

func (s *shop) expires(name string) time.Time {
	for _, c := range s.Report() {
		if len(c.Names) == 1 && c.Names[0] == name {
			return c.Expires
		}
	}
	return time.Time{}
}

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 1500 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// TestRenewal: a certificate is replaced after two thirds of its life, once; a name that is no
// longer the node's is forgotten, and one that is kept but damaged is ordered again.
func TestRenewal(t *testing.T) {
	d, dir := certtest.NewDirectory(t), t.TempDir()
	s := open(t, d, dir, "a.test")
	s.validate(90 * 24 * time.Hour)
	until(t, "it is issued", func() bool { return !s.expires("a.test").IsZero() })
	first, orders := s.expires("a.test"), d.Orders.Load()
	s.Again()
	s.Look()
	time.Sleep(50 * time.Millisecond)
	if d.Orders.Load() != orders {
		t.Error("a certificate that is new was ordered again")
	}
	d.Validate(1, s.addr.(*net.TCPAddr).Port, 85*24*time.Hour) // by its clock it is due again at once
	s.Again()
	s.ahead.Store(int64(61 * 24 * time.Hour))
	s.Look()
	until(t, "it is replaced", func() bool { return !s.expires("a.test").Equal(first) })
	s.Look()
	time.Sleep(50 * time.Millisecond)
	if n := d.Orders.Load() - orders; n != 1 {
		t.Errorf("it took %d orders", n)
	}
	file := filepath.Join(dir, "a.test.pem")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s.know("a.test")
	s.Look()
	until(t, "it is forgotten", func() bool { return len(s.Report()) == 0 })
	if _, err := os.Stat(file); err == nil {
		t.Error("what was issued is still on the disk")
	}
	if err := s.ask("a.test"); !errors.Is(err, certificates.ErrNone) {
		t.Errorf("what is forgotten: %v", err)
	}
	for name, kept := range map[string][]byte{"whole": b, "half": b[:len(b)/2]} {
		if err := os.WriteFile(file, kept, 0o600); err != nil {
			t.Fatal(err)
		}
		again := open(t, d, dir)
		if got := !again.expires("a.test").IsZero(); got != (name == "whole") {
			t.Errorf("%s: found %v", name, got)
		}
	}
}

// refused has the directory refuse all orders with a problem.
func (s *shop) refused(kind string, status int, header ...string) {
	s.d.Refuse(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/order-plz") {
			return false
		}
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"type":"urn:ietf:params:acme:error:%s","detail":"no"}`, kind)
		return true
	})
}

// TestDirectoryRefuses: a name that is refused waits, longer each time, whoever asks for it; and a
// directory that is asked too often is asked nothing before it allows it.
func TestDirectoryRefuses(t *testing.T) {
	d := certtest.NewDirectory(t)
	s := open(t, d, t.TempDir())
	s.refused("rejectedIdentifier", http.StatusForbidden)
	for i, after := range []time.Duration{0, 4 * time.Minute, 6 * time.Minute, 10 * time.Minute, 17 * time.Minute, 30 * time.Minute, 38 * time.Minute} {
		s.ahead.Store(int64(after))
		for range 3 {
			if err := s.ask("a.test"); !errors.Is(err, certificates.ErrNone) || !strings.Contains(err.Error(), "rejectedIdentifier") {
				t.Errorf("after %s: %v", after, err)
			}
		}
		// Orders are due after 0, 5, 5+10 and 15+20 minutes.
		if got, want := d.Orders.Load(), []int64{1, 1, 2, 2, 3, 3, 4}[i]; got != want {
			t.Errorf("after %s: %d orders, want %d", after, got, want)
		}
	}
	before := d.Orders.Load()
	s.refused("rateLimited", http.StatusTooManyRequests, "Retry-After", "7200")
	for _, name := range []string{"b.test", "c.test", "b.test", "d.test"} {
		if err := s.ask(name); err == nil {
			t.Errorf("%s has a certificate", name)
		}
	}
	s.ahead.Add(int64(119 * time.Minute))
	if err := s.ask("c.test"); err == nil || !strings.Contains(err.Error(), "asked too often") {
		t.Errorf("within the pause: %v", err)
	}
	if got := d.Orders.Load() - before; got != 1 {
		t.Errorf("a directory that is asked too often is asked %d times", got)
	}
	s.d.Refuse(nil)
	s.d.Validate(1, s.addr.(*net.TCPAddr).Port, time.Hour*24*90)
	s.ahead.Add(int64(2 * time.Minute))
	s.ForgetAccount()
	if err := s.ask("c.test"); err != nil {
		t.Errorf("after the pause: %v", err)
	}
}

// TestOrdersAreBounded: the node orders no more in an hour than it says, and nothing for names that
// are none.
func TestOrdersAreBounded(t *testing.T) {
	d := certtest.NewDirectory(t)
	s := open(t, d, t.TempDir())
	s.refused("rejectedIdentifier", http.StatusForbidden)
	for _, name := range []string{"evil.example", "127.0.0.1", "::1", "test", "*.test", "a..test", "-.test", "a b.test", "../a.test", "a.test/../b", "", "\x00.test", strings.Repeat("a", 64) + ".test"} {
		if err := s.ask(name); !errors.Is(err, certificates.ErrNone) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if d.Orders.Load() != 0 {
		t.Errorf("%d orders", d.Orders.Load())
	}
	for i := range 30 {
		_ = s.ask(fmt.Sprintf("n%d.test", i))
	}
	if got := d.Orders.Load(); got != 20 {
		t.Errorf("%d orders in an hour", got)
	}
	s.ahead.Store(int64(61 * time.Minute))
	_ = s.ask("later.test")
	if got := d.Orders.Load(); got < 21 || got > 40 {
		t.Errorf("%d orders after an hour", got)
	}
}

// TestFilesChoose: of several pairs the one that names the host is shown, and the first to others.
func TestFilesChoose(t *testing.T) {
	ca := certtest.New(t)
	var o certificates.Options
	o.Now, o.Log = time.Now, slog.New(slog.DiscardHandler)
	for _, names := range [][]string{{"agora.test"}, {"*.apps.test"}, {"own.example", "192.0.2.1"}} {
		f := ca.Write(-time.Hour, time.Hour, names...)
		o.Pairs = append(o.Pairs, certificates.Pair{Cert: f.Cert, Key: f.Key})
	}
	s, err := certificates.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"agora.test": "agora.test", "AGORA.test.": "agora.test", "shop.apps.test": "*.apps.test", "own.example": "own.example",
		"r1--shop.apps.test": "*.apps.test", "a.b.apps.test": "agora.test", "": "agora.test", "evil.test": "agora.test",
	} {
		c, err := s.Config().GetCertificate(&tls.ClientHelloInfo{
			ServerName: name, SupportedVersions: []uint16{tls.VersionTLS13}, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
			CipherSuites: []uint16{tls.TLS_AES_128_GCM_SHA256}, SupportedCurves: []tls.CurveID{tls.CurveP256},
		})
		if err != nil || c.Leaf.DNSNames[0] != want {
			t.Errorf("%q: %v, %v, want %s", name, c.Leaf.DNSNames, err, want)
		}
	}
	if got := s.Uncovered("agora.test", "*.apps.test", "*.other.test", "other.test"); fmt.Sprint(got) != "[*.other.test other.test]" {
		t.Errorf("uncovered: %v", got)
	}
}
