package abi

import (
	"errors"
	"strings"
)

// FetchModule is the import module of the fetch capability. Its one function
// takes a request frame and returns a response frame. Host is the origin that
// is asked, as in "https://api.example.com"; the rest is as in a request that an
// app gets. The response is the last of the chain, if there were redirects.
const FetchModule = "app:fetch/v1"

// FetchDo is the function of FetchModule.
const FetchDo = "do"

// MaxFetchTarget bounds path and query together, and MaxFetchHeader the bytes of
// all headers.
const (
	MaxFetchTarget = 8 << 10
	MaxFetchHeader = 32 << 10
)

// fetchMethods are those that may be used: CONNECT opens a tunnel, and TRACE
// responds with what was sent, credentials too.
const fetchMethods = " GET HEAD POST PUT PATCH DELETE OPTIONS "

// fetchReserved are headers that decide where a request goes, where it ends or
// what becomes of the connection. They are the node's.
const fetchReserved = " host connection content-length transfer-encoding te trailer upgrade expect keep-alive "

func isFetchReserved(lower string) bool {
	return strings.Contains(fetchReserved, " "+lower+" ") || strings.HasPrefix(lower, "proxy-")
}

// DecodeFetch reads and checks what an app wants to have fetched. The origin in
// Host may still be malformed, and the body aliases b. Errors: ErrnoInvalid, and
// ErrnoTooLarge for headers and target.
func DecodeFetch(b []byte) (Request, Errno) {
	r, err := DecodeRequest(b)
	switch {
	case err != nil, r.Method == "", strings.Contains(r.Method, " "), !strings.Contains(fetchMethods, " "+r.Method+" "):
		return Request{}, ErrnoInvalid
	case !strings.HasPrefix(r.Path, "/"), !isTarget(r.Path), !isTarget(r.Query), strings.Contains(r.Path, "?"), !isEscaped(r.Path):
		return Request{}, ErrnoInvalid
	case len(r.Path)+len(r.Query) > MaxFetchTarget:
		return Request{}, ErrnoTooLarge
	}
	size := 0
	for _, f := range r.Header {
		name := strings.ToLower(f.Name)
		if !isToken(name) || !isFieldValue(f.Value) || isFetchReserved(name) {
			return Request{}, ErrnoInvalid
		}
		size += len(f.Name) + len(f.Value)
	}
	if size > MaxFetchHeader {
		return Request{}, ErrnoTooLarge
	}
	return r, ErrnoOK
}

// isTarget reports whether a text may stand in a request line as it is: visible
// ASCII, without what some read as the end of it or as another "/".
func isTarget(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || c == '#' || c == '\\' {
			return false
		}
	}
	return true
}

// isEscaped reports whether each % begins two hexadecimal digits.
func isEscaped(s string) bool {
	for {
		_, rest, found := strings.Cut(s, "%")
		if !found {
			return true
		}
		if len(rest) < 2 || strings.Trim(rest[:2], "0123456789abcdefABCDEF") != "" {
			return false
		}
		s = rest[2:]
	}
}

// isToken is the rule for header names (RFC 9110, section 5.6.2), lower case.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// isFieldValue is the rule for header values (RFC 9110, section 5.5).
func isFieldValue(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// FetchCredential is a secret that the node puts into a header for one origin,
// and that the app does not see.
type FetchCredential struct {
	Secret string // its name
	Header string // "Authorization" if it was left out
	Bearer bool   // the value is "Bearer " and the secret
	Origin Origin
}

// ParseFetchCredential reads "crm@https://crm.example.com", which is sent as
// Authorization: Bearer, or "crm:X-Api-Key@https://crm.example.com", which is the
// secret alone in a header of that name. A secret travels encrypted, or not further
// than the machine itself.
func ParseFetchCredential(s string) (FetchCredential, error) {
	name, origin, found := strings.Cut(s, "@")
	secret, header, named := strings.Cut(name, ":")
	if !found || !ValidSecretName(secret) {
		return FetchCredential{}, errors.New("is not written as secret@origin or secret:Header@origin, with a secret's name")
	}
	o, err := ParseOrigin(origin)
	if err != nil {
		return FetchCredential{}, err
	}
	if addr, literal := o.Literal(); o.Scheme != "https" && !(literal && addr.IsLoopback()) {
		return FetchCredential{}, errors.New("would send a secret unencrypted: write https://")
	}
	if !named {
		return FetchCredential{Secret: secret, Header: "Authorization", Bearer: true, Origin: o}, nil
	}
	if lower := strings.ToLower(header); !isToken(lower) || isFetchReserved(lower) {
		return FetchCredential{}, errors.New("names a header that cannot carry a secret")
	}
	return FetchCredential{Secret: secret, Header: header, Origin: o}, nil
}

// Value is the header's value for a secret. It is false if the secret cannot
// stand in a header.
func (c FetchCredential) Value(secret string) (string, bool) {
	secret = strings.TrimSpace(secret)
	if c.Bearer {
		secret = "Bearer " + secret
	}
	return secret, isFieldValue(secret)
}
