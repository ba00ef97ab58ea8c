package certificates

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/net/idna"
)

// ErrNone: there is no certificate for the name that a client asked for.
var ErrNone = errors.New("no certificate for that name")

// ErrUnknown: a name is not the node's.
var ErrUnknown = errors.New("no name of this node")

// Options configure a Store.
type Options struct {
	Pairs []Pair
	// Directory is the URL of an ACME directory; "" for none.
	Directory string
	Email     string // of the account there; may be ""
	// Dir is where the account's key and what was issued are kept.
	Dir string
	// Eager are the names that are ordered at once.
	Eager []string
	// Known returns nil if a certificate may be ordered for a name. If the name is not the node's, the
	// error is ErrUnknown: what was issued for it is forgotten.
	Known func(ctx context.Context, name string) error
	Log   *slog.Logger
	Now   func() time.Time

	// HTTP asks the directory. Default: a client of its own.
	HTTP *http.Client
}

// Store has the certificates of a node.
type Store struct {
	o     Options
	files atomic.Pointer[[]*tls.Certificate]
	acme  *issuer // nil: no directory

	mu    sync.Mutex // guards pairs
	pairs []*file
}

// reloadEvery is how often the files are looked at.
const reloadEvery = 5 * time.Second

// Open reads all pairs. One that is wrong is an error: a node that starts has nothing else to show.
// One that has expired is none: the report says it, and so will each client.
func Open(o Options) (*Store, error) {
	s := &Store{o: o}
	for _, p := range o.Pairs {
		f := &file{Pair: p}
		cert, digest, err := p.load(o.Now())
		if err != nil {
			return nil, err
		}
		f.cert, f.digest, f.read = cert, digest, o.Now()
		s.pairs = append(s.pairs, f)
	}
	s.publish()
	if o.Directory != "" {
		var err error
		if s.acme, err = newIssuer(o); err != nil {
			return nil, err
		}
	}
	s.warn()
	return s, nil
}

// publish shows handshakes what is in use. It is called before the store is used, or with s.mu held.
func (s *Store) publish() {
	all := make([]*tls.Certificate, len(s.pairs))
	for i, f := range s.pairs {
		all[i] = f.cert
	}
	s.files.Store(&all)
}

// Config returns a TLS configuration that takes its certificates from the store.
func (s *Store) Config() *tls.Config {
	c := &tls.Config{GetCertificate: s.certificate, MinVersion: tls.VersionTLS12}
	if s.acme != nil {
		c.NextProtos = []string{acme.ALPNProto}
	}
	return c
}

// certificate returns the one for a handshake: of the files, one that names the host and that the
// client supports, or else what the directory issues for it, or else the first of the files.
func (s *Store) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	files := *s.files.Load()
	if s.acme != nil && slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) {
		return s.acme.challenge(hello)
	}
	var named *tls.Certificate
	for _, c := range files {
		if covers(c.Leaf, hello.ServerName) {
			if hello.SupportsCertificate(c) == nil {
				return c, nil
			}
			named = c
		}
	}
	switch {
	case named != nil:
		return named, nil
	case s.acme != nil && hello.ServerName != "":
		c, err := s.acme.certificate(hello.Context(), hello.ServerName)
		if err == nil || len(files) == 0 {
			return c, err
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%w: the client named none", ErrNone)
	}
	return files[0], nil
}

// covers reports whether a certificate is for a host.
func covers(leaf *x509.Certificate, host string) bool {
	return host != "" && leaf.VerifyHostname(strings.TrimSuffix(host, ".")) == nil
}

// Run looks at the files, and orders what is wanted, until ctx ends.
func (s *Store) Run(ctx context.Context) {
	tick, daily := time.NewTicker(reloadEvery), time.NewTicker(24*time.Hour)
	defer tick.Stop()
	defer daily.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.Reload()
		case <-daily.C:
			s.warn()
		}
	}
}

// Reload looks at the files now. Connections that are there go on with what they had.
func (s *Store) Reload() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.pairs {
		changed, trouble := f.look(s.o.Now())
		switch {
		case trouble != nil:
			s.o.Log.Error("the certificate's files are not taken into use, and the certificate in use stays", "file", f.Cert, "expires", f.cert.Leaf.NotAfter.UTC(), "err", trouble)
		case changed:
			s.o.Log.Info("a certificate was taken into use", "file", f.Cert, "names", strings.Join(namesOf(f.cert.Leaf), ", "), "expires", f.cert.Leaf.NotAfter.UTC())
		}
	}
	s.publish()
}

// Issue orders certificates until ctx ends. It is nothing without a directory.
func (s *Store) Issue(ctx context.Context) {
	if s.acme != nil {
		s.acme.run(ctx)
	}
}

// State is one certificate at one moment.
type State struct {
	Names   []string
	Issuer  string
	Source  string // the file, or the directory
	Issued  bool   // by the directory
	From    time.Time
	Expires time.Time // zero: there is none yet
	Trouble string    // why it is not renewed, replaced or there
}

// Report returns the state of every certificate, those of files first.
func (s *Store) Report() []State {
	s.mu.Lock()
	var all []State
	for _, f := range s.pairs {
		state := stateOf(f.cert.Leaf)
		state.Source = f.Cert
		if f.looks > 1 {
			state.Trouble = f.broken
		}
		all = append(all, state)
	}
	s.mu.Unlock()
	if s.acme != nil {
		all = append(all, s.acme.report()...)
	}
	return all
}

// Orders reports whether there is a directory that certificates are ordered from.
func (s *Store) Orders() bool { return s.acme != nil }

// Uncovered returns the names of those given that no certificate is for and none would be ordered for.
func (s *Store) Uncovered(hosts ...string) (missing []string) {
	files := *s.files.Load()
	for _, host := range hosts {
		if s.acme != nil && !strings.HasPrefix(host, "*.") || slices.ContainsFunc(files, func(c *tls.Certificate) bool {
			return covers(c.Leaf, strings.Replace(host, "*", "any", 1))
		}) {
			continue
		}
		missing = append(missing, host)
	}
	return missing
}

func stateOf(leaf *x509.Certificate) State {
	return State{Names: namesOf(leaf), Issuer: leaf.Issuer.String(), From: leaf.NotBefore, Expires: leaf.NotAfter}
}

func namesOf(leaf *x509.Certificate) []string {
	all := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		all = append(all, ip.String())
	}
	return all
}

// Soon reports whether a certificate needs attention: it has expired, or it should have been
// replaced by now, which is two weeks before it expires, or a third of its life if that is less.
func (c State) Soon(now time.Time) bool {
	return !c.Expires.IsZero() && c.Expires.Sub(now) < min(14*24*time.Hour, c.Expires.Sub(c.From)/3)
}

// warn logs what will expire.
func (s *Store) warn() {
	for _, c := range s.Report() {
		if c.Soon(s.o.Now()) {
			s.o.Log.Warn("a certificate expires soon, or has expired", "source", c.Source, "names", strings.Join(c.Names, ", "), "expires", c.Expires.UTC())
		}
	}
}

// hostName is one that has a dot; nothing else becomes a file's name.
var hostName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// canonical returns the one form of a host's name, without a port.
func canonical(host string) (string, error) {
	name, err := idna.Lookup.ToASCII(strings.TrimSuffix(host, "."))
	if err != nil || net.ParseIP(name) != nil || len(name) > 253 || !hostName.MatchString(name) {
		return "", fmt.Errorf("%w: %q is no name that a directory issues certificates for", ErrNone, host)
	}
	return name, nil
}
