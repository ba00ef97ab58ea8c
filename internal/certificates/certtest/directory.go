package certtest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"golang.org/x/net/dns/dnsmessage"
)

// Directory is an ACME directory for tests: Pebble, which looks at 127.0.0.1 for every name.
type Directory struct {
	URL    string
	Orders atomic.Int64 // that were asked for
	t      testing.TB
	server *httptest.Server
	ca     *ca.CAImpl

	mu     sync.Mutex // guards all below
	front  http.Handler
	refuse func(w http.ResponseWriter, r *http.Request) bool
}

// NewDirectory starts a directory. It looks at names before Validate at ports where nothing is.
func NewDirectory(t testing.TB) *Directory {
	t.Helper()
	d := &Directory{t: t}
	d.Validate(1, 1, 90*24*time.Hour)
	d.server = httptest.NewTLSServer(d)
	t.Cleanup(d.server.Close)
	d.URL = d.server.URL + wfe.DirectoryPath
	return d
}

// Validate begins anew, with another authority: it looks at names at these ports, and issues for
// a time.
func (d *Directory) Validate(httpPort, tlsPort int, life time.Duration) {
	d.t.Helper()
	quiet := log.New(io.Discard, "", 0)
	for name, value := range map[string]string{"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "10", "PEBBLE_AUTHZREUSE": "0"} {
		d.t.(interface{ Setenv(name, value string) }).Setenv(name, value)
	}
	store := db.NewMemoryStore()
	authority := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {ValidityPeriod: uint64(life / time.Second)}})
	looker := va.New(quiet, httpPort, tlsPort, true, d.names(), store)
	web := wfe.New(quiet, store, looker, authority, []string{"pebble.letsencrypt.org"}, true, false, 1, 1)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ca, d.front = authority, web.Handler()
}

// Refuse has each request go to f first, which reports whether it has responded.
func (d *Directory) Refuse(f func(w http.ResponseWriter, r *http.Request) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuse = f
}

func (d *Directory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/order-plz") {
		d.Orders.Add(1)
	}
	d.mu.Lock()
	front, refuse := d.front, d.refuse
	d.mu.Unlock()
	if refuse != nil && refuse(w, r) {
		return
	}
	front.ServeHTTP(w, r)
}

// Client returns a client that trusts the directory's own certificate.
func (d *Directory) Client() *http.Client { return d.server.Client() }

// Trust returns a client's configuration that trusts what is issued.
func (d *Directory) Trust() *tls.Config {
	d.mu.Lock()
	defer d.mu.Unlock()
	pool := x509.NewCertPool()
	pool.AddCert(d.ca.GetRootCert(0).Cert)
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// names is the address of a server of names, at which each name is 127.0.0.1.
func (d *Directory) names() string {
	d.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		d.t.Fatal(err)
	}
	var group sync.WaitGroup
	d.t.Cleanup(func() { _ = l.Close(); group.Wait() })
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(5 * time.Second))
				for answerName(c) {
				}
			})
		}
	})
	return l.Addr().String()
}

// answerName answers one question, and reports whether there was one.
func answerName(c net.Conn) bool {
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return false
	}
	b := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		return false
	}
	var m dnsmessage.Message
	if err := m.Unpack(b); err != nil || len(m.Questions) == 0 {
		return false
	}
	q := m.Questions[0]
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	if q.Type == dnsmessage.TypeA {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
			Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
		}}
	}
	out, err := m.Pack()
	if err != nil {
		return false
	}
	_, err = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...))
	return err == nil
}
