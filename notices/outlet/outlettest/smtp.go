package outlettest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// User and Password let a client in.
const (
	User     = "agora"
	Password = "correct horse"
)

// Mail is what a server took.
type Mail struct {
	From, To string // of the envelope
	Raw      []byte
}

// Header reads a header of a mail; "" if the mail cannot be read.
func (m Mail) Header(name string) string {
	msg, err := mail.ReadMessage(bytes.NewReader(m.Raw))
	if err != nil {
		return ""
	}
	return msg.Header.Get(name)
}

// Server is a mail server.
type Server struct {
	t    testing.TB
	addr string
	conf *tls.Config
	ca   []byte

	mu     sync.Mutex // guards all below
	down   bool
	took   []Mail
	refuse func(to string) error // nil: it takes all
}

// Start starts a server, which ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t}
	s.certify()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	running := smtp.NewServer(s)
	running.TLSConfig, running.Domain = s.conf, "localhost"
	running.ReadTimeout, running.WriteTimeout = 20*time.Second, 20*time.Second
	running.ErrorLog = quiet{}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = running.Serve(listener{l, s}) }()
	t.Cleanup(func() { _ = l.Close(); _ = running.Close(); <-ended })
	return s
}

// listener hangs up on whoever connects while the server is down. It keeps its port, which no one else
// can take meanwhile.
type listener struct {
	net.Listener
	s *Server
}

func (l listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil || !l.s.isDown() {
			return c, err
		}
		_ = c.Close()
	}
}

func (s *Server) isDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

// Down has the server hang up on whoever connects, and Up take what comes again.
func (s *Server) Down() { s.set(true) }

// Up ends Down.
func (s *Server) Up() { s.set(false) }

func (s *Server) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// Refuse has the server ask f about each recipient.
func (s *Server) Refuse(f func(to string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = f
}

// Took returns what the server took so far.
func (s *Server) Took() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.took...)
}

// File writes the file that a node is given, with more in it, and returns its path.
func (s *Server) File(more map[string]any) string {
	s.t.Helper()
	dir := s.t.TempDir()
	all := map[string]any{"mail": map[string]any{"server": s.addr, "user": User, "password_file": "password", "ca_file": "ca.pem", "from": "Agora <agora@example.com>"}}
	for k, v := range more {
		all[k] = v
	}
	text, err := json.Marshal(all)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, content := range map[string][]byte{"notices.json": text, "password": []byte(Password + "\n"), "ca.pem": s.ca} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	return filepath.Join(dir, "notices.json")
}

// certify makes the server's certificate, which certifies itself.
func (s *Server) certify() {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		s.t.Fatal(err)
	}
	s.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.conf = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
}

// NewSession implements smtp.Backend.
func (s *Server) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{s: s}, nil }

// session is one conversation.
type session struct {
	s    *Server
	in   bool
	mail Mail
}

// AuthMechanisms implements smtp.AuthSession.
func (c *session) AuthMechanisms() []string { return []string{sasl.Plain} }

// Auth implements smtp.AuthSession.
func (c *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != User || password != Password {
			return errors.New("no such user")
		}
		c.in = true
		return nil
	}), nil
}

// Mail implements smtp.Session.
func (c *session) Mail(from string, _ *smtp.MailOptions) error {
	if !c.in {
		return smtp.ErrAuthRequired
	}
	c.mail.From = from
	return nil
}

// Rcpt implements smtp.Session.
func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.s.mu.Lock()
	refuse := c.s.refuse
	c.s.mu.Unlock()
	if refuse != nil {
		if err := refuse(to); err != nil {
			return err
		}
	}
	if c.mail.To != "" {
		return errors.New("a second recipient")
	}
	c.mail.To = to
	return nil
}

// Data implements smtp.Session.
func (c *session) Data(r io.Reader) (err error) {
	if c.mail.Raw, err = io.ReadAll(r); err != nil {
		return err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.took = append(c.s.took, c.mail)
	return nil
}

// Reset implements smtp.Session.
func (c *session) Reset() { c.mail = Mail{} }

// Logout implements smtp.Session.
func (c *session) Logout() error { return nil }
