package certificates

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
)

// proofs are what shows a directory that a name is the node's, while it looks.
type proofs struct {
	mu    sync.RWMutex // guards all below
	certs map[string]*tls.Certificate
	texts map[string]string // by path
}

func (p *proofs) text(path string) (string, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	text, ok := p.texts[path]
	return text, ok
}

// challenge returns the certificate by which the directory sees that a name is the node's.
func (i *issuer) challenge(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	host, err := canonical(hello.ServerName)
	if err != nil {
		return nil, err
	}
	i.proof.mu.RLock()
	defer i.proof.mu.RUnlock()
	if c := i.proof.certs[host]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("%w: %s is not being proven", ErrNone, host)
}

// show shows what a challenge asks for, until the function that it returns is called.
func (i *issuer) show(client *acme.Client, c *acme.Challenge, host string) (hide func(), err error) {
	p := &i.proof
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.certs == nil {
		p.certs, p.texts = map[string]*tls.Certificate{}, map[string]string{}
	}
	if c.Type == "tls-alpn-01" {
		cert, err := client.TLSALPN01ChallengeCert(c.Token, host)
		if err != nil {
			return nil, err
		}
		p.certs[host] = &cert
		return func() { p.mu.Lock(); defer p.mu.Unlock(); delete(p.certs, host) }, nil
	}
	text, err := client.HTTP01ChallengeResponse(c.Token)
	if err != nil {
		return nil, err
	}
	path := client.HTTP01ChallengePath(c.Token)
	p.texts[path] = text
	return func() { p.mu.Lock(); defer p.mu.Unlock(); delete(p.texts, path) }, nil
}

// account returns a client with the node's account, which is made when it is first needed.
func (i *issuer) account(ctx context.Context) (*acme.Client, error) {
	i.mu.Lock()
	client := i.client
	i.mu.Unlock()
	if client != nil {
		return client, nil
	}
	key, err := i.dir.accountKey()
	if err != nil {
		return nil, fmt.Errorf("read the account's key: %w", err)
	}
	client = &acme.Client{Key: key, DirectoryURL: i.o.Directory, UserAgent: "agora", HTTPClient: i.o.HTTP, RetryBackoff: retryAfter}
	if client.HTTPClient == nil {
		client.HTTPClient = &http.Client{Timeout: 30 * time.Second}
	}
	account := &acme.Account{}
	if i.o.Email != "" {
		account.Contact = []string{"mailto:" + i.o.Email}
	}
	if _, err := client.Register(ctx, account, acme.AcceptTOS); err != nil && !errors.Is(err, acme.ErrAccountAlreadyExists) {
		return nil, fmt.Errorf("register at the directory: %w", err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.client = client
	return client, nil
}

// retryAfter returns how long to wait before a request is sent for the n-th time again, or 0 for
// never: what takes longer is an order that failed.
func retryAfter(n int, _ *http.Request, resp *http.Response) time.Duration {
	const most, longest = 5, 20 * time.Second
	if n > most {
		return 0
	}
	if resp != nil {
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
			if wait := time.Duration(s) * time.Second; wait <= longest {
				return wait
			}
			return 0
		}
	}
	return 100 * time.Millisecond << n
}

// obtain orders a certificate, proves that the name is the node's, and keeps what is issued.
func (i *issuer) obtain(ctx context.Context, host string) (*tls.Certificate, error) {
	client, err := i.account(ctx)
	if err != nil {
		return nil, err
	}
	order, err := i.prove(ctx, client, host)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{host}}, key)
	if err != nil {
		return nil, err
	}
	chain, err := finalize(ctx, client, order, request)
	if err != nil {
		return nil, fmt.Errorf("have the certificate issued: %w", err)
	}
	cert, err := issued(chain, key, host, i.o.Now())
	if err != nil {
		return nil, err
	}
	return cert, i.dir.keep(host, cert)
}

// finalize has an order fulfilled. The library looks for the order at a place that a directory need
// not name then (RFC 8555 section 7.4), so where it fails it is looked for where it was made.
func finalize(ctx context.Context, client *acme.Client, order *acme.Order, request []byte) ([][]byte, error) {
	chain, _, err := client.CreateOrderCert(ctx, order.FinalizeURL, request, true)
	if err == nil {
		return chain, nil
	}
	final, waited := client.WaitOrder(ctx, order.URI)
	if waited != nil || final.Status != acme.StatusValid {
		return nil, errors.Join(err, waited)
	}
	return client.FetchCert(ctx, final.CertURL, true)
}

// issued checks what the directory issued: a certificate that clients refuse does not replace one
// that they take.
func issued(chain [][]byte, key crypto.Signer, host string, now time.Time) (*tls.Certificate, error) {
	if len(chain) == 0 {
		return nil, errors.New("the directory issued nothing")
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return nil, fmt.Errorf("the directory issued what is no certificate: %w", err)
	}
	public, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok || !public.Equal(key.Public()) {
		return nil, errors.New("the directory issued a certificate for another key")
	}
	if err := leaf.VerifyHostname(host); err != nil {
		return nil, fmt.Errorf("the directory issued a certificate for another name: %w", err)
	}
	if now.After(leaf.NotAfter) {
		return nil, fmt.Errorf("the directory issued a certificate that expired on %s", leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return &tls.Certificate{Certificate: chain, PrivateKey: key, Leaf: leaf}, nil
}

// challenges are those that the node can meet, in the order in which it tries them.
var challenges = []string{"tls-alpn-01", "http-01"}

// prove returns an order whose name was proven. A challenge that fails ends its order, so that each
// kind is tried with an order of its own.
func (i *issuer) prove(ctx context.Context, client *acme.Client, host string) (*acme.Order, error) {
	var errs []error
	for _, kind := range challenges {
		order, err := client.AuthorizeOrder(ctx, acme.DomainIDs(host))
		if err != nil {
			return nil, errors.Join(append(errs, fmt.Errorf("order: %w", err))...)
		}
		for _, at := range order.AuthzURLs {
			err = errors.Join(err, i.meet(ctx, client, at, kind, host))
		}
		if err == nil {
			var ready *acme.Order
			if ready, err = client.WaitOrder(ctx, order.URI); err == nil {
				ready.URI = order.URI
				return ready, nil
			}
		}
		errs = append(errs, fmt.Errorf("%s: %w", kind, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// meet meets the challenge of one kind, if the directory still wants it.
func (i *issuer) meet(ctx context.Context, client *acme.Client, at, kind, host string) error {
	authorization, err := client.GetAuthorization(ctx, at)
	if err != nil {
		return err
	}
	if authorization.Status == acme.StatusValid {
		return nil
	}
	for _, c := range authorization.Challenges {
		if c.Type != kind {
			continue
		}
		hide, err := i.show(client, c, host)
		if err != nil {
			return err
		}
		defer hide()
		if _, err := client.Accept(ctx, c); err != nil {
			return err
		}
		_, err = client.WaitAuthorization(ctx, authorization.URI)
		return err
	}
	return errors.New("the directory does not offer that challenge")
}
