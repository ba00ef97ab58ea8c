package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
)

// ErrUnreachable: nothing responds at the node's address, or not as a node does.
var ErrUnreachable = errors.New("the node does not respond")

// Problem is an error that the node answered with.
type Problem struct{ abi.Problem }

func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// Client speaks to one node.
type Client struct {
	base  string
	token string
	most  int               // items of a list; 0 for all
	match map[string]string // headers of writes: what they expect of the document that they change
	http  *http.Client
}

// First returns a client whose lists end after n items; 0 for all of them.
func (c *Client) First(n int) *Client {
	limited := *c
	limited.most = n
	return &limited
}

// IfMatch returns a client whose writes are made only if what they change is as it was when it was read
// with one of these ETags; otherwise they fail, and Changed reports true of the error. A tag of "",
// as an older node gives, expects nothing.
func (c *Client) IfMatch(tags ...string) *Client {
	tags = slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return tag == "" })
	return c.expecting("If-Match", strings.Join(tags, ", "))
}

// IfAbsent returns a client that makes a user only if there is none of that name.
func (c *Client) IfAbsent() *Client { return c.expecting("If-None-Match", "*") }

func (c *Client) expecting(header, value string) *Client {
	held := *c
	held.match = nil
	if value != "" {
		held.match = map[string]string{header: value}
	}
	return &held
}

// Changed reports whether a write failed because what it was to change is not what was read.
func Changed(err error) bool { return isProblem(err, "precondition-failed") }

func isProblem(err error, slug string) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && p.Type == "/problems/"+slug
}

// New makes a client for the node whose console is at address, such as
// "http://localhost:8080". token may be "" for what needs none.
func New(address, token string) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("%q is no address of a node: write http://localhost:8080 or https://agora.example.com", address)
	}
	return &Client{
		base: u.Scheme + "://" + u.Host + "/api/v1", token: token,
		http: &http.Client{
			Timeout:       10 * time.Minute,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Over returns a client that sends its requests over a transport, such as one that trusts a
// company's own authority.
func (c *Client) Over(transport http.RoundTripper) *Client {
	other := *c
	h := *c.http
	h.Transport = transport
	other.http = &h
	return &other
}

// expectFrom is from which size on a node is asked before a body is sent, in bytes.
const expectFrom = 64 << 10

// request is one exchange; in is nil, a document, or bytes of a media type.
type request struct {
	method, path string
	query        url.Values
	media        string
	body         io.Reader
	accept       string
	key          string // Idempotency-Key of a write
}

// A write is sent again after an error of the network, with its key: the node serves it once.
const (
	maxTries  = 4
	firstWait = 200 * time.Millisecond // doubled with each try
)

// send sends a request and, if it has to, sends it again.
func (c *Client) send(ctx context.Context, q request) (*http.Response, error) {
	if q.method == http.MethodGet || c.token == "" {
		return c.try(ctx, q)
	}
	body, again := q.body.(io.ReadSeeker)
	q.key = rand.Text()
	for wait, n := firstWait, 1; ; wait, n = 2*wait, n+1 {
		resp, err := c.try(ctx, q)
		if n == maxTries || ctx.Err() != nil || !passes(err) || (q.body != nil && !again) {
			return resp, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
		if again {
			if _, err := body.Seek(0, io.SeekStart); err != nil {
				return nil, err
			}
		}
	}
}

// passes reports whether a write may go well if it is sent again, with its key.
func passes(err error) bool {
	return isProblem(err, "request-in-progress") || errors.Is(err, errConnection)
}

// errConnection: the connection broke, whether the request arrived or not.
var errConnection = errors.New("the connection broke")

func (c *Client) try(ctx context.Context, q request) (*http.Response, error) {
	address := c.base + q.path
	if given := nonEmpty(q.query); len(given) > 0 {
		address += "?" + given.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, q.method, address, q.body)
	if err != nil {
		return nil, err
	}
	if q.media != "" {
		r.Header.Set("Content-Type", q.media)
	}
	if q.key != "" {
		r.Header.Set("Idempotency-Key", q.key)
	}
	if q.method != http.MethodGet {
		for name, value := range c.match {
			r.Header.Set(name, value)
		}
	}
	if q.accept != "" {
		r.Header.Set("Accept", q.accept)
	}
	if r.ContentLength > expectFrom || (r.ContentLength < 0 && q.body != nil) {
		r.Header.Set("Expect", "100-continue") // a node that refuses it says so before it was sent
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &brokenError{err}
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, problemOf(resp)
	}
	return resp, nil
}

// brokenError is an error of the network.
type brokenError struct{ err error }

func (e *brokenError) Error() string   { return ErrUnreachable.Error() + ": " + e.err.Error() }
func (e *brokenError) Unwrap() []error { return []error{ErrUnreachable, errConnection, e.err} }

// nonEmpty leaves out the parameters that say nothing.
func nonEmpty(query url.Values) url.Values {
	given := url.Values{}
	for name, values := range query {
		if values := slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" }); len(values) > 0 {
			given[name] = values
		}
	}
	return given
}

// problemOf reads the error that a node answered with.
func problemOf(resp *http.Response) error {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	var p Problem
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") || json.Unmarshal(raw, &p.Problem) != nil {
		return fmt.Errorf("%w: %s returned %s; is this the address of a node?", ErrUnreachable, resp.Request.URL.Host, resp.Status)
	}
	return &p
}

// bytes sends and reads a whole response.
func (c *Client) bytes(ctx context.Context, q request) ([]byte, error) {
	raw, _, err := c.whole(ctx, q)
	return raw, err
}

// whole sends and reads a whole response, with its ETag.
func (c *Client) whole(ctx context.Context, q request) (raw []byte, tag string, err error) {
	resp, err := c.send(ctx, q)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	if raw, err = io.ReadAll(resp.Body); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return raw, resp.Header.Get("ETag"), nil
}

func do[T any](ctx context.Context, c *Client, q request) (out T, err error) {
	out, _, err = exchange[T](ctx, c, q)
	return out, err
}

func exchange[T any](ctx context.Context, c *Client, q request) (out T, tag string, err error) {
	raw, tag, err := c.whole(ctx, q)
	if err != nil {
		return out, "", err
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, "", fmt.Errorf("%w: its response cannot be read: %w", ErrUnreachable, err)
	}
	return out, tag, nil
}

// read is get for a document that has an ETag, which it sets.
func read[T any](ctx context.Context, c *Client, path string, at func(*T) *string) (out T, err error) {
	out, tag, err := exchange[T](ctx, c, request{method: http.MethodGet, path: path})
	*at(&out) = tag
	return out, err
}

func get[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	return do[T](ctx, c, request{method: http.MethodGet, path: path, query: query})
}

func post[T any](ctx context.Context, c *Client, path string, in any) (T, error) {
	return write[T](ctx, c, http.MethodPost, path, in)
}

func write[T any](ctx context.Context, c *Client, method, path string, in any) (out T, err error) {
	raw, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	return do[T](ctx, c, request{method: method, path: path, media: "application/json", body: bytes.NewReader(raw)})
}

// pageSize is how many items of a list are asked for at once: as many as a node gives.
const pageSize = 1000

// short reads a list that has no pages.
func short[T any](ctx context.Context, c *Client, path string, query url.Values) ([]T, error) {
	all, err := get[struct{ Items []T }](ctx, c, path, query)
	return all.Items, err
}

// list reads a list page by page, up to its end or to as many items as the client takes.
func list[T any](ctx context.Context, c *Client, path string, query url.Values) (all []T, err error) {
	err = pages(ctx, c, path, query, func(items []T) { all = append(all, items...) })
	return all, err
}

// pages has each page of a list taken, up to its end or to as many items as the client takes.
func pages[T any](ctx context.Context, c *Client, path string, query url.Values, take func([]T)) error {
	query, taken := maps.Clone(query), 0
	if query == nil {
		query = url.Values{}
	}
	for {
		size := pageSize
		if c.most > 0 {
			size = min(size, c.most-taken)
		}
		query.Set("limit", strconv.Itoa(size))
		page, err := get[struct {
			Items []T
			Next  string
		}](ctx, c, path, query)
		if err != nil {
			return err
		}
		take(page.Items)
		taken += len(page.Items)
		if page.Next == "" || page.Next == query.Get("cursor") || (c.most > 0 && taken >= c.most) {
			return nil
		}
		query.Set("cursor", page.Next)
	}
}

// step is one line of an upload's progress.
type step struct {
	Stage     string       `json:"stage"`
	Published *Published   `json:"published"`
	Problem   *abi.Problem `json:"problem"`
}

// Publish uploads a signed release. stage, if not nil, is told each step as the
// node begins it.
func (c *Client) Publish(ctx context.Context, manifest, module, bundle []byte, stage func(string)) (Published, error) {
	body, media := form(part{"manifest", manifest}, part{"bundle", bundle}, part{"module", module})
	resp, err := c.send(ctx, request{method: http.MethodPost, path: "/releases", media: media, body: body, accept: "application/x-ndjson"})
	if err != nil {
		return Published{}, err
	}
	defer resp.Body.Close()
	lines := json.NewDecoder(resp.Body)
	for {
		var s step
		if err := lines.Decode(&s); err != nil {
			return Published{}, fmt.Errorf("%w: the upload's response broke off; send it again, which is safe: %w", ErrUnreachable, err)
		}
		switch {
		case s.Problem != nil:
			return Published{}, &Problem{*s.Problem}
		case s.Published != nil:
			return *s.Published, nil
		case stage != nil:
			stage(s.Stage)
		}
	}
}

// CheckPolicy asks the rules; module may be nil.
func (c *Client) CheckPolicy(ctx context.Context, manifest, module []byte, tier string) ([]abi.Finding, error) {
	parts := []part{{"manifest", manifest}}
	if module != nil {
		parts = append(parts, part{"module", module})
	}
	body, media := form(parts...)
	all, err := do[struct{ Items []abi.Finding }](ctx, c, request{
		method: http.MethodPost, path: "/policy/check", query: url.Values{"tier": {tier}}, media: media, body: body,
	})
	return all.Items, err
}

type part struct {
	name  string
	bytes []byte
}

// form writes parts as multipart/form-data; a nil part is left out.
func form(parts ...part) (io.Reader, string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		if p.bytes == nil {
			continue
		}
		// Writing into memory does not fail.
		f, _ := w.CreateFormFile(p.name, p.name)
		_, _ = f.Write(p.bytes)
	}
	_ = w.Close()
	return bytes.NewReader(b.Bytes()), w.FormDataContentType()
}

// Certify asks for a certificate for the caller's identity: DER in, PEM out.
func (c *Client) Certify(ctx context.Context, csr []byte) ([]byte, error) {
	return c.bytes(ctx, request{method: http.MethodPost, path: "/trust/certificate", media: "application/pkcs10", body: bytes.NewReader(csr)})
}

// Timestamp asks for an RFC 3161 timestamp: DER in, DER out.
func (c *Client) Timestamp(ctx context.Context, query []byte) ([]byte, error) {
	return c.bytes(ctx, request{method: http.MethodPost, path: "/trust/timestamp", media: "application/timestamp-query", body: bytes.NewReader(query)})
}

// TrustRoot is the sigstore trusted root of the node, as JSON.
func (c *Client) TrustRoot(ctx context.Context) ([]byte, error) {
	return c.bytes(ctx, request{method: http.MethodGet, path: "/trust/root"})
}

// Inspect reads a module without storing it.
func (c *Client) Inspect(ctx context.Context, module []byte) (Inspection, error) {
	return do[Inspection](ctx, c, request{method: http.MethodPost, path: "/inspect", media: "application/wasm", body: bytes.NewReader(module)})
}

// Types is agora.d.ts: what the node gives to apps in TypeScript and JavaScript, for editors and compilers.
func (c *Client) Types(ctx context.Context) ([]byte, error) {
	return c.bytes(ctx, request{method: http.MethodGet, path: "/types/agora.d.ts"})
}

// Build makes a module of a script, named entry, that may import these capabilities. Nothing is stored.
func (c *Client) Build(ctx context.Context, entry string, code []byte, capabilities []string) (Built, error) {
	return do[Built](ctx, c, request{method: http.MethodPost, path: "/builds", query: url.Values{"entry": {entry}, "capability": capabilities}, media: "text/javascript", body: bytes.NewReader(code)})
}

// SignIn trades a one-time link for a session, and returns a client with it.
func (c *Client) SignIn(ctx context.Context, link string) (Session, *Client, error) {
	s, err := post[Session](ctx, c, "/sign-in", map[string]string{"link": link})
	signed := *c
	signed.token = s.Secret
	return s, &signed, err
}
