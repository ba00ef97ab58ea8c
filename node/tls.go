package node

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/internal/certificates"
	"github.com/agora-host/agora/internal/door"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/node/internal/telemetry"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// speaksTLS reports whether the front door does.
func (o *Options) speaksTLS() bool { return len(o.TLSCert) > 0 || o.ACMEDirectory != "" }

const (
	// defaultHSTS has browsers use TLS alone for 30 days after each visit: long enough to be of use,
	// and short enough to be undone.
	defaultHSTS = "max-age=2592000"
	noHSTS      = "off"
)

var validHSTS = regexp.MustCompile(`^max-age=[0-9]{1,10}(; ?includeSubDomains)?(; ?preload)?$`)

// checkTLS checks what is said about TLS, before anything is opened.
func (o *Options) checkTLS() error {
	switch {
	case len(o.TLSCert) != len(o.TLSKey):
		return fmt.Errorf("%d certificates and %d keys: give one --tls-key for each --tls-cert, in the same order", len(o.TLSCert), len(o.TLSKey))
	case o.ACMEEmail != "" && o.ACMEDirectory == "":
		return errors.New("--acme-email is for the account at a directory: name that with --acme-directory")
	case o.ACMEDirectory != "" && o.ConsoleURL == "":
		return errors.New("--acme-directory needs a name to order certificates for: say under which one people reach the console, with --console-url https://agora.example.com")
	case o.ListenHTTP != "" && !o.speaksTLS():
		return errors.New("--listen-http redirects to HTTPS, which this node does not speak: give it a certificate with --tls-cert and --tls-key, or a directory with --acme-directory; a node without TLS listens at --listen alone")
	case o.HSTS != "" && o.HSTS != noHSTS && !validHSTS.MatchString(o.HSTS):
		return fmt.Errorf("--hsts %q: write max-age=SECONDS, perhaps with \"; includeSubDomains\", or %s", o.HSTS, noHSTS)
	case o.HSTS != "" && o.HSTS != noHSTS && !o.speaksTLS():
		return errors.New("--hsts is for a node that speaks TLS itself: a proxy in front of this one sets that header")
	case o.ProxyProtocol && len(o.TrustedProxies) == 0:
		return errors.New("--proxy-protocol is taken from the networks of --trusted-proxy alone: name them")
	}
	return nil
}

// security is the node's TLS: its certificates, and the doors that use them.
type security struct {
	certs   *certificates.Store // nil: the node speaks no TLS
	doors   []*door.Door
	origins *origins
	store   state.Store
	now     func() time.Time
	desk    *control.Desk
}

// openTLS reads the certificates.
func (n *Node) openTLS() error {
	n.tls = &security{origins: &n.origins, store: n.store, now: n.o.Now, desk: n.desk}
	if !n.o.speaksTLS() {
		return nil
	}
	o := certificates.Options{
		Directory: n.o.ACMEDirectory, Email: n.o.ACMEEmail, Dir: filepath.Join(n.o.DataDir, acmeDir),
		Known: n.tls.known, Log: n.log, Now: n.o.Now, HTTP: n.o.acmeHTTP,
	}
	for i := range n.o.TLSCert {
		o.Pairs = append(o.Pairs, certificates.Pair{Cert: n.o.TLSCert[i], Key: n.o.TLSKey[i]})
	}
	if u, err := url.Parse(n.o.ConsoleURL); err == nil && n.o.ACMEDirectory != "" {
		o.Eager = []string{u.Hostname()}
	}
	var err error
	if n.tls.certs, err = certificates.Open(o); err != nil {
		return fmt.Errorf("open the certificates for TLS: %w", err)
	}
	return nil
}

// acmeDir is where what an ACME directory issued is kept.
const acmeDir = "acme"

// config returns what the door's handshakes go by; nil without TLS.
func (s *security) config() *tls.Config {
	if s.certs == nil {
		return nil
	}
	c := s.certs.Config()
	find := c.GetCertificate
	c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert, err := find(hello)
		if errors.Is(err, certificates.ErrNone) {
			err = fmt.Errorf("%w: %w", door.ErrNoCertificate, err)
		}
		return cert, err
	}
	return c
}

// known returns why no certificate is ordered for a name: it is neither the console's nor one by
// which an app is found.
func (s *security) known(ctx context.Context, host string) error {
	console, _ := splitPort(s.origins.consoleHost)
	domain, _ := splitPort(s.origins.appsDomain)
	if host == console {
		return nil
	}
	label, below := strings.CutSuffix(host, "."+domain)
	if below && (strings.ContainsAny(label, ".*") || strings.Contains(label, "--")) {
		return fmt.Errorf("%w: %s is an address of one release or tier: certificates are ordered for apps' own names alone, since each counts at the directory; give the node a certificate for *.%s with --tls-cert", certificates.ErrUnknown, host, domain)
	}
	err := s.store.View(ctx, func(tx state.Reader) error {
		name := label
		if !below {
			given, err := tx.HostName(host)
			if err != nil {
				return err
			}
			name = given.App
		}
		_, err := tx.App(name)
		return err
	})
	if errors.Is(err, registry.ErrNotFound) {
		return fmt.Errorf("%w: neither the console's nor an app's: %w", certificates.ErrUnknown, err)
	}
	return err
}

// isOurs reports whether a host, perhaps with a port, is the console's or one of the apps'.
func (s *security) isOurs(ctx context.Context, host string) bool {
	name, _ := splitPort(authority(host, "http"))
	domain, _ := splitPort(s.origins.appsDomain)
	bare, _ := splitPort(s.origins.bare)
	return name == bare || strings.HasSuffix(name, "."+domain) || s.known(ctx, name) == nil
}

// redirect sends who came by HTTP to the same place by HTTPS. A host that is not the node's is sent
// nowhere.
func (s *security) redirect(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	if !s.isOurs(r.Context(), r.Host) {
		refuse(w, r, fmt.Errorf("host %q is neither an app's address nor the console's: %w", r.Host, registry.ErrNotFound))
		return
	}
	name, _ := splitPort(authority(r.Host, "http"))
	target := url.URL{Scheme: "https", Host: name + s.port(name), Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	if target.Path == "" || target.Path[0] != '/' {
		target.Path, target.RawPath = "/", ""
	}
	w.Header().Set("Cache-Control", "no-store") // a node that goes back to HTTP is found
	http.Redirect(w, r, target.String(), http.StatusPermanentRedirect)
}

// plain is what is served without TLS: what a directory looks for, and the way to HTTPS.
func (s *security) plain() http.Handler { return s.certs.HTTP(http.HandlerFunc(s.redirect)) }

// port returns the port, with a colon, at which people reach a host by HTTPS; "" if it is 443.
func (s *security) port(name string) string {
	at := s.origins.appsDomain
	console, _ := splitPort(s.origins.consoleHost)
	bare, _ := splitPort(s.origins.bare)
	switch name {
	case console:
		at = s.origins.consoleHost
	case bare:
		at = s.origins.bare
	}
	if _, port := splitPort(at); port != "" {
		return ":" + port
	}
	return ""
}

// strict adds Strict-Transport-Security to all responses but those to a name that is only this
// machine's, where it would take every other program's port with it.
func strict(next http.Handler, value string) http.Handler {
	header := []string{value}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil && !isLocal(r.Host) {
			w.Header()["Strict-Transport-Security"] = header
		}
		next.ServeHTTP(w, r)
	})
}

// isLocal reports whether a host is a name or an address for which browsers keep no such policy, or
// should not.
func isLocal(host string) bool {
	name, _ := splitPort(authority(host, "https"))
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil || name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// run keeps the certificates right until ctx ends.
func (s *security) reload(ctx context.Context) {
	if s.certs != nil {
		s.certs.Run(ctx)
	}
}

func (s *security) issue(ctx context.Context) {
	if s.certs != nil {
		s.certs.Issue(ctx)
	}
}

// TLS returns the state of the certificates by which people reach the node, for operators.
func (s *security) TLS(ctx context.Context) (control.TLS, error) {
	if _, err := s.desk.May(ctx, access.Operate, access.TheNode); err != nil {
		return control.TLS{}, err
	}
	if s.certs == nil {
		return control.TLS{}, nil
	}
	t := control.TLS{On: true, Uncovered: s.uncovered()}
	for _, c := range s.certs.Report() {
		t.Certificates = append(t.Certificates, control.ServerCertificate{
			Names: c.Names, Issuer: c.Issuer, Source: c.Source, Expires: c.Expires, Soon: c.Soon(s.now()), Trouble: c.Trouble,
		})
	}
	return t, nil
}

// uncovered are the addresses that people are sent to and no certificate is for.
func (s *security) uncovered() []string {
	console, _ := splitPort(s.origins.consoleHost)
	domain, _ := splitPort(s.origins.appsDomain)
	missing := s.certs.Uncovered(console, "*."+domain)
	if s.certs.Orders() {
		missing = slices.DeleteFunc(missing, func(name string) bool { return name == "*."+domain }) // each has its own
	}
	return missing
}

// check returns the doctor's lines; none without TLS.
func (s *security) check() []control.Check {
	if s.certs == nil {
		return nil
	}
	var checks []control.Check
	for _, c := range s.certs.Report() {
		checks = append(checks, s.checkOne(c))
	}
	if missing := s.uncovered(); len(missing) > 0 {
		checks = append(checks, control.Check{
			Name: "TLS names", Detail: "no certificate is for " + strings.Join(missing, " and ") + ": browsers refuse these addresses",
			Remedy: abi.Remedy{Summary: "Give the node a certificate that names them. There may be several: --tls-cert and --tls-key can be repeated."},
		})
	}
	done, failed := s.handshakes()
	detail := humanize.Plural(done, "handshake", "handshakes") + " since the start"
	for _, reason := range slices.Sorted(maps.Keys(failed)) {
		detail += fmt.Sprintf(", %s: %d", reason, failed[reason])
	}
	return append(checks, control.Check{Name: "TLS handshakes", OK: true, Detail: detail})
}

func (s *security) checkOne(c certificates.State) control.Check {
	names := strings.Join(c.Names, ", ")
	check := control.Check{Name: "TLS certificate " + cmp.Or(names, c.Source), OK: c.Trouble == "" && !c.Soon(s.now())}
	switch {
	case c.Expires.IsZero():
		check.Detail = "there is none yet"
		check.OK = c.Trouble == ""
	case c.Expires.Before(s.now()):
		check.Detail = "expired on " + c.Expires.UTC().Format(time.DateOnly) + ": browsers refuse it"
	default:
		check.Detail = fmt.Sprintf("expires on %s, in %s; issued by %s; from %s", c.Expires.UTC().Format(time.DateOnly),
			humanize.Plural(int(c.Expires.Sub(s.now()).Hours()/24), "day", "days"), cmp.Or(c.Issuer, "itself"), c.Source)
	}
	if c.Trouble != "" {
		check.Detail += "; it is not replaced: " + c.Trouble
	}
	if check.OK {
		return check
	}
	check.Remedy.Summary = "Put a newer certificate and its key into the files: the node takes them into use within seconds, without a restart."
	if c.Issued {
		check.Remedy.Summary = "See to it that the directory reaches this node at the name, on port 443, or on port 80 with --listen-http; the node orders again by itself. The node's log says what went wrong."
	}
	return check
}

// handshakes are those of all doors that speak TLS.
func (s *security) handshakes() (done uint64, failed map[string]uint64) {
	failed = map[string]uint64{}
	for _, d := range s.doors {
		n, by := d.Handshakes()
		done += n
		for reason, n := range by {
			failed[reason] += n
		}
	}
	return done, failed
}

// measure writes the metrics; none without TLS.
func (s *security) measure(p *telemetry.Page) {
	done, failed := s.handshakes()
	if s.certs != nil {
		p.Family("agora_certificate_expiry_timestamp_seconds", telemetry.Gauge, "when a certificate for TLS expires, Unix time")
		all := s.certs.Report()
		for _, c := range all {
			if !c.Expires.IsZero() {
				p.Sample(float64(c.Expires.Unix()), "name", c.Names[0], "source", c.Source)
			}
		}
		p.Family("agora_certificate_trouble", telemetry.Gauge, "1 while a certificate cannot be replaced or issued")
		for _, c := range all {
			trouble := 0.0
			if c.Trouble != "" {
				trouble = 1
			}
			p.Sample(trouble, "name", c.Names[0], "source", c.Source)
		}
		p.One("agora_tls_handshakes_total", telemetry.Counter, "TLS handshakes that succeeded", float64(done))
	}
	p.Family("agora_connections_not_let_in_total", telemetry.Counter, "connections that did not get through their TLS handshake or the proxy protocol, by reason")
	for _, reason := range door.Handshakes {
		p.Sample(float64(failed[reason]), "reason", reason)
	}
}

// listenHTTP opens the door that sends people on to HTTPS. It is small, and shares nothing with the
// other: whoever floods it does not keep people from that.
func (n *Node) listenHTTP(ctx context.Context, o door.Options) error {
	if n.o.ListenHTTP == "" {
		return nil
	}
	d, err := door.Listen(ctx, n.o.ListenHTTP, redirecting(o, n.budgets))
	if err != nil {
		return &ListenError{"--listen-http", n.o.ListenHTTP, err}
	}
	n.plainDoor = d
	n.tls.doors = append(n.tls.doors, d)
	return nil
}
