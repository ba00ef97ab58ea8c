package abi

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Frames are the bytes of interface abi/v1. All integers are little-endian
// u32. Offsets count from the frame's first byte.
//
// A request frame:
//
//	 0  magic "AGRQ"
//	 4  header size: 88 since client, scheme and protocol are there, 64 before; fields beyond are
//	    ignored by readers
//	 8  flags: 0
//	12  number of headers
//	16  method   offset, length
//	24  path     offset, length   as sent, percent-encoded, never empty
//	32  query    offset, length   without "?"
//	40  host     offset, length   as sent
//	48  headers  offset, length   of the table: for each header, name offset, name length, value offset, value length
//	56  body     offset, length
//	64  client   offset, length   the caller's address, without a port; empty if no user is waiting
//	72  scheme   offset, length   "http" or "https": by which the caller came
//	80  protocol offset, length   such as "HTTP/1.1"
//	88  texts, table and body, in any order
//
// A response frame:
//
//	 0  magic "AGRS"
//	 4  header size: 32
//	 8  status: 200 to 599
//	12  number of headers
//	16  headers  offset, length   of the table, as above
//	24  body     offset, length
//	32  texts, table and body, in any order
const (
	requestMagic   = 0x51524741 // "AGRQ"
	responseMagic  = 0x53524741 // "AGRS"
	requestHeader  = 88
	firstHeader    = 64 // of a request, before it had a client
	responseHeader = 32
	headerEntry    = 16

	// MaxHeaders is the most headers a frame may have.
	MaxHeaders = 256
)

// Field is one header.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Request is an HTTP request as an app sees it.
type Request struct {
	Method string
	Path   string // escaped, starts with "/"
	Query  string // raw, without "?"
	Host   string
	Header []Field // by name
	Body   []byte

	// Client is the caller's address, without a port: the one that the operator's proxies name.
	// It is "" if no user is waiting, as when the clock has called.
	Client string
	Scheme string // "http" or "https": by which the caller came
	Proto  string // "HTTP/1.1": what the caller, or the proxy, speaks to the node
}

// Response is an HTTP response as an app makes it.
type Response struct {
	Status int // 200 to 599
	Header []Field
	Body   []byte
}

// FrameError says which part of a frame is malformed.
type FrameError struct{ Part, Msg string }

func (e *FrameError) Error() string { return "frame: " + e.Part + " " + e.Msg }

// frameWriter lays texts out behind a header and fills in where they are.
type frameWriter struct {
	b    []byte
	base int // where the frame starts in b
}

func newFrame(dst []byte, size int) *frameWriter {
	w := &frameWriter{b: dst, base: len(dst)}
	w.b = append(w.b, make([]byte, size)...)
	return w
}

func (w *frameWriter) put(at int, v uint32) { binary.LittleEndian.PutUint32(w.b[w.base+at:], v) }

// text appends bytes and writes their offset and length at a place in the frame.
func text[T string | []byte](w *frameWriter, at int, s T) {
	w.put(at, uint32(len(w.b)-w.base))
	w.put(at+4, uint32(len(s)))
	w.b = append(w.b, s...)
}

func (w *frameWriter) fields(countAt, tableAt int, fields []Field) {
	w.put(countAt, uint32(len(fields)))
	table := len(w.b) - w.base
	w.put(tableAt, uint32(table))
	w.put(tableAt+4, uint32(len(fields)*headerEntry))
	w.b = append(w.b, make([]byte, len(fields)*headerEntry)...)
	for i, f := range fields {
		text(w, table+i*headerEntry, f.Name)
		text(w, table+i*headerEntry+8, f.Value)
	}
}

// RequestSize is how many bytes AppendRequest appends.
func RequestSize(r *Request) int {
	n := requestHeader + len(r.Method) + len(r.Path) + len(r.Query) + len(r.Host) + len(r.Body) + len(r.Client) + len(r.Scheme) + len(r.Proto)
	for _, f := range r.Header {
		n += headerEntry + len(f.Name) + len(f.Value)
	}
	return n
}

// AppendRequest appends a request's frame to dst.
func AppendRequest(dst []byte, r *Request) []byte {
	w := newFrame(dst, requestHeader)
	w.put(0, requestMagic)
	w.put(4, requestHeader)
	text(w, 16, r.Method)
	text(w, 24, r.Path)
	text(w, 32, r.Query)
	text(w, 40, r.Host)
	w.fields(12, 48, r.Header)
	text(w, 56, r.Body)
	text(w, 64, r.Client)
	text(w, 72, r.Scheme)
	text(w, 80, r.Proto)
	return w.b
}

// AppendResponse appends a response's frame to dst.
func AppendResponse(dst []byte, r *Response) []byte {
	w := newFrame(dst, responseHeader)
	w.put(0, responseMagic)
	w.put(4, responseHeader)
	w.put(8, uint32(r.Status))
	w.fields(12, 16, r.Header)
	text(w, 24, r.Body)
	return w.b
}

// frameReader reads texts out of an untrusted frame. The first error sticks.
type frameReader struct {
	b   []byte
	err *FrameError
}

func (r *frameReader) fail(part, format string, args ...any) {
	if r.err == nil {
		r.err = &FrameError{part, fmt.Sprintf(format, args...)}
	}
}

func (r *frameReader) u32(at int) uint32 { return binary.LittleEndian.Uint32(r.b[at:]) }

// open checks magic and header size.
func (r *frameReader) open(magic uint32, size int) bool {
	switch {
	case len(r.b) < size:
		r.fail("header", "has %d bytes, not %d", len(r.b), size)
	case r.u32(0) != magic:
		r.fail("magic", "is not this kind of frame's")
	case r.u32(4) < uint32(size) || int64(r.u32(4)) > int64(len(r.b)):
		r.fail("header", "says that it has %d bytes", r.u32(4))
	}
	return r.err == nil
}

// bytes returns the bytes whose offset and length stand at a place. All sums
// are in 64 bits: none can wrap.
func (r *frameReader) bytes(at int, part string) []byte {
	if r.err != nil {
		return nil
	}
	start, n := int64(r.u32(at)), int64(r.u32(at+4))
	if n == 0 {
		return nil
	}
	if start+n > int64(len(r.b)) {
		r.fail(part, "lies outside of the frame")
		return nil
	}
	return r.b[start : start+n : start+n]
}

func (r *frameReader) fields(countAt, tableAt int) []Field {
	n := int64(r.u32(countAt))
	if n == 0 || r.err != nil {
		return nil
	}
	if n > MaxHeaders {
		r.fail("headers", "are %d, more than %d", n, MaxHeaders)
		return nil
	}
	table, size := int64(r.u32(tableAt)), int64(r.u32(tableAt+4))
	if size != n*headerEntry || table+size > int64(len(r.b)) {
		r.fail("headers", "have a table that does not fit")
		return nil
	}
	return r.texts(int(table), int(n))
}

// texts reads n fields whose offsets and lengths stand in a table. All share one
// string.
func (r *frameReader) texts(table, n int) []Field {
	size := 0
	for at := table; at < table+n*headerEntry; at += headerEntry {
		size += len(r.bytes(at, "header name")) + len(r.bytes(at+8, "header value"))
	}
	if size > len(r.b) {
		r.fail("headers", "name the same bytes again and again")
	}
	if r.err != nil {
		return nil
	}
	var all strings.Builder
	all.Grow(size)
	for at := table; at < table+n*headerEntry; at += 8 {
		all.Write(r.bytes(at, ""))
	}
	rest := all.String()
	next := func(at int) (s string) {
		n := r.u32(at + 4)
		s, rest = rest[:n], rest[n:]
		return s
	}
	fields := make([]Field, n)
	for i := range fields {
		at := table + i*headerEntry
		fields[i] = Field{Name: next(at), Value: next(at + 8)}
	}
	return fields
}

// DecodeRequest reads a request's frame. The body aliases b. The error is a
// *FrameError.
func DecodeRequest(b []byte) (Request, error) {
	r := &frameReader{b: b}
	if !r.open(requestMagic, firstHeader) {
		return Request{}, r.err
	}
	q := Request{
		Method: string(r.bytes(16, "method")), Path: string(r.bytes(24, "path")), Query: string(r.bytes(32, "query")),
		Host: string(r.bytes(40, "host")), Header: r.fields(12, 48), Body: r.bytes(56, "body"),
	}
	if r.err == nil && r.u32(4) >= requestHeader {
		q.Client, q.Scheme, q.Proto = string(r.bytes(64, "client")), string(r.bytes(72, "scheme")), string(r.bytes(80, "protocol"))
	}
	if r.err != nil {
		return Request{}, r.err
	}
	return q, nil
}

// DecodeResponse reads a response's frame. The body aliases b. The error is a
// *FrameError.
func DecodeResponse(b []byte) (Response, error) {
	r := &frameReader{b: b}
	if !r.open(responseMagic, responseHeader) {
		return Response{}, r.err
	}
	status := r.u32(8)
	if status < 200 || status > 599 {
		r.fail("status", "is %d, not between 200 and 599", status)
	}
	p := Response{Status: int(status), Header: r.fields(12, 16), Body: r.bytes(24, "body")}
	if r.err != nil {
		return Response{}, r.err
	}
	return p, nil
}
