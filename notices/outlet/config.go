package outlet

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/notices"
)

// ErrConfig: the file that says how notices are sent cannot be used.
var ErrConfig = errors.New("how notices are sent is not described well")

// File is how notices leave the node, in JSON. Keys that are not known are refused.
type File struct {
	Mail     *MailConfig  `json:"mail"` // nil: the node sends no mail
	Webhooks []HookConfig `json:"webhooks"`
}

// MailConfig is a mail server.
type MailConfig struct {
	// Server is its host and port. Default port 587, or 465 with TLS "tls".
	Server string `json:"server"`
	// TLS is how the connection is protected: "starttls", which is the default and never goes without,
	// "tls" from the first byte on, or "none", which is for this machine alone.
	TLS string `json:"tls"`
	// CAFile has certificates, in PEM, of those who may issue the server's. Default: the system's.
	CAFile string `json:"ca_file"`
	// User signs in to the server with the password that PasswordFile holds alone. Default: no one does.
	User         string `json:"user"`
	PasswordFile string `json:"password_file"`
	// From is who mail is from, as "Agora <agora@example.com>".
	From string `json:"from"`

	host     string
	port     int
	password string
	from     *mail.Address
	roots    *x509.CertPool
}

// HookConfig is a webhook.
type HookConfig struct {
	// Name names it in the log, in metrics and for the doctor.
	Name string `json:"name"`
	// URL is where it is called. URLFile holds it alone, where the address is itself a secret.
	URL     string `json:"url"`
	URLFile string `json:"url_file"`
	// Format is what it is sent: "cloudevents", which is the default, "slack" or "teams".
	Format string `json:"format"`
	// SecretFile holds the key of the signature alone, as whsec_ and base64. Needed for cloudevents.
	SecretFile string `json:"secret_file"`
	// Kinds are the kinds of events that it is sent; "request.*" is all that begin with request.
	// Default: those of which people are told.
	Kinds []string `json:"kinds"`

	url   *url.URL
	key   []byte
	kinds []string
}

// maxFile is more than such a file has by far.
const maxFile = 1 << 20

// Load reads and checks a File, and the secrets that it names. All that is wrong is told at once.
func Load(path string) (*File, error) {
	text, err := readAtMost(path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("read how notices are sent: %w", err)
	}
	var f File
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err = d.Decode(&f)
	if err == nil && d.More() {
		err = errors.New("something follows its JSON")
	}
	if err != nil {
		line := 1 + bytes.Count(text[:min(int(d.InputOffset()), len(text))], []byte("\n"))
		return nil, fmt.Errorf("%w: %s:%d: %w", ErrConfig, path, line, err)
	}
	if err := f.complete(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("%s cannot be used:\n%w", path, err)
	}
	return &f, nil
}

func readAtMost(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%w: %s is larger than %d bytes", ErrConfig, path, most)
	}
	return text, err
}

// complete checks what a file says, and fills in what it leaves out.
func (f *File) complete(dir string) error {
	var all []error
	if f.Mail != nil {
		all = append(all, f.Mail.complete(dir))
	}
	var names []string
	for i := range f.Webhooks {
		h := &f.Webhooks[i]
		all = append(all, h.complete(dir))
		if slices.Contains(names, h.Name) {
			all = append(all, fmt.Errorf("%w: there are two webhooks with the name %q", ErrConfig, h.Name))
		}
		names = append(names, h.Name)
	}
	return errors.Join(all...)
}

func (c *MailConfig) complete(dir string) (err error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: mail: %s", ErrConfig, fmt.Sprintf(format, args...))
	}
	port := "587"
	if c.TLS == "tls" {
		port = "465"
	}
	if host, other, err := net.SplitHostPort(c.Server); err == nil {
		c.host, port = host, other
	} else {
		c.host = c.Server
	}
	number, err := strconv.ParseUint(port, 10, 16)
	c.port = int(number)
	switch {
	case err != nil || number == 0 || c.host == "" || strings.ContainsAny(c.host, "/@ \t\r\n"):
		return bad("server is a host and a port, such as smtp.example.com:587, not %.80q", c.Server)
	case !slices.Contains([]string{"", "starttls", "tls", "none"}, c.TLS):
		return bad("tls is starttls, tls or none, not %.40q", c.TLS)
	case c.TLS == "none" && !loopback(c.host):
		return bad("tls none is for a server on this machine alone: what is sent to %s could be read and changed on the way", c.host)
	case (c.User == "") != (c.PasswordFile == ""):
		return bad("user and password_file belong together")
	}
	if c.from, err = mail.ParseAddress(c.From); err != nil {
		return bad("from is who mail is from, such as Agora <agora@example.com>, not %.80q", c.From)
	}
	if c.password, err = secretOf(dir, c.PasswordFile); err != nil {
		return bad("read the password: %v", err)
	}
	if c.CAFile == "" {
		return nil
	}
	pem, err := readAtMost(beside(dir, c.CAFile), maxFile)
	c.roots = x509.NewCertPool()
	if err != nil || !c.roots.AppendCertsFromPEM(pem) {
		return bad("ca_file %s has no certificates in PEM (%v)", c.CAFile, err)
	}
	return nil
}

var hookName = regexp.MustCompile(`\A[a-z][a-z0-9-]{0,30}\z`)

func (c *HookConfig) complete(dir string) (err error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: webhook %.40q: %s", ErrConfig, c.Name, fmt.Sprintf(format, args...))
	}
	if c.Format == "" {
		c.Format = cloudEvents
	}
	switch {
	case !hookName.MatchString(c.Name):
		return bad("its name is up to 31 lower-case letters, digits and hyphens, such as chat")
	case formats[c.Format] == nil:
		return bad("format is cloudevents, slack or teams, not %.40q", c.Format)
	case (c.URL == "") == (c.URLFile == ""):
		return bad("one of url and url_file says where it is called")
	case c.Format == cloudEvents && c.SecretFile == "":
		return bad("secret_file is missing: whoever is called knows by the signature that it was this node. Make one with: echo whsec_$(openssl rand -base64 32)")
	}
	address := c.URL
	if c.URLFile != "" {
		if address, err = secretOf(dir, c.URLFile); err != nil {
			return bad("read its address: %v", err)
		}
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || (u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname()))) {
		return bad("its address is one such as https://hooks.example.com/agora")
	}
	if c.url = u; c.SecretFile != "" {
		text, err := secretOf(dir, c.SecretFile)
		if err == nil {
			c.key, err = keyOf(text)
		}
		if err != nil {
			return bad("read the key of its signature: %v", err)
		}
	}
	return c.chooseKinds(bad)
}

// chooseKinds writes out which kinds of events a webhook is sent.
func (c *HookConfig) chooseKinds(bad func(string, ...any) error) error {
	if len(c.Kinds) == 0 {
		c.kinds = notices.Kinds()
		return nil
	}
	for _, want := range c.Kinds {
		before, all := strings.CutSuffix(want, "*")
		found := false
		for _, k := range abi.EventKinds() {
			if is := k.Kind == want || all && strings.HasPrefix(k.Kind, before); is {
				found = true
				if !slices.Contains(c.kinds, k.Kind) {
					c.kinds = append(c.kinds, k.Kind)
				}
			}
		}
		if !found {
			return bad("no kind of events is %.40q; agora events list shows which there are", want)
		}
	}
	return nil
}

func loopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }

func beside(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// secretOf reads what a file holds alone; "" for no file.
func secretOf(dir, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := readAtMost(beside(dir, path), 64<<10)
	secret := strings.TrimSpace(string(text))
	if err == nil && (secret == "" || strings.ContainsAny(secret, "\r\n")) {
		err = fmt.Errorf("%s holds one line, and no more", path)
	}
	return secret, err
}
