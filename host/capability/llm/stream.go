package llm

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/agora-host/agora/abi"
)

const (
	maxOpen  = 4       // streams of one invocation
	maxEvent = 1 << 20 // bytes of one event
)

// stream is a response that comes piece by piece.
type stream struct {
	*run
	mu       sync.Mutex // guards all below: the end of an invocation may meet a read
	in       *bufio.Reader
	ahead    []event // that were read before the app asked for them
	plain    bool    // the upstream sent one response and no events, and it was read
	seen     int64   // bytes that the model said
	began    bool    // there was a choice
	finished bool    // the model said that it is done
	reported *usage
	over     bool
	err      error // how it ended, if it broke
}

func (g *grant) openStream(ctx context.Context, in []byte) ([]byte, abi.Errno) {
	session := g.session(ctx)
	if session.open() >= maxOpen {
		g.tell(ctx, "", errOpen)
		return nil, abi.ErrnoQuota
	}
	limited, cancel := abi.LeaveTime(ctx)
	defer cancel()
	r, errno := g.begin(limited, in, true)
	if errno != abi.ErrnoOK {
		return nil, errno
	}
	s := r.stream
	if !abi.ScopeOf(ctx).OnEnd(s.close) {
		s.close()
		return nil, abi.ErrnoUnavailable
	}
	session.mu.Lock()
	defer session.mu.Unlock()
	session.last++
	session.streams[session.last] = s
	return abi.AppendHandle(nil, session.last), abi.ErrnoOK
}

// open counts the streams that are not over.
func (s *session) open() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stream := range s.streams {
		if stream.running() {
			n++
		}
	}
	return n
}

func (s *stream) running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.over
}

func (s *session) stream(in []byte) (*stream, uint32, abi.Errno) {
	handle, ok := abi.DecodeHandle(in)
	if !ok {
		return nil, 0, abi.ErrnoInvalid
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.streams[handle]; found != nil {
		return found, handle, abi.ErrnoOK
	}
	return nil, handle, abi.ErrnoNotFound
}

func (g *grant) nextChunk(ctx context.Context, in []byte) ([]byte, abi.Errno) {
	s, _, errno := g.session(ctx).stream(in)
	if errno != abi.ErrnoOK {
		g.tell(ctx, "", errHandle)
		return nil, errno
	}
	ctx, cancel := abi.LeaveTime(ctx)
	defer cancel()
	out, err := s.next(ctx)
	if err != nil {
		return nil, g.errno(ctx, err)
	}
	return out, abi.ErrnoOK
}

func (g *grant) closeStream(ctx context.Context, in []byte) ([]byte, abi.Errno) {
	session := g.session(ctx)
	s, handle, errno := session.stream(in)
	switch errno {
	case abi.ErrnoNotFound:
		return nil, abi.ErrnoOK
	case abi.ErrnoOK:
		s.close()
		session.mu.Lock()
		defer session.mu.Unlock()
		delete(session.streams, handle)
	}
	return nil, errno
}

// close ends a stream wherever it is, and settles it at what was seen.
func (s *stream) close() {
	s.cancel() // a read that runs returns
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finish(nil)
}

// finish settles and ends. The lock is held.
func (s *stream) finish(err error) {
	if s.over {
		return
	}
	s.over, s.err = true, err
	defer s.end()
	if err != nil {
		note(s.ctx, abi.MeterFailed, s.model.Name)
		s.tell(s.ctx, s.model.Name, err)
	}
	s.settle(s.used())
}

func (s *stream) used() counts { return settled(s.reported, s.bounds, s.prompt, s.seen) }

// event is what one server-sent event says: a chunk for the app, or how the stream ended.
type event struct {
	choices []abi.ChatChoice
	done    bool
	err     error
}

// maxAhead is how many chunks that say nothing are kept for the app, before the first that does.
const maxAhead = 8

// begin reads until the model says something, or says that it is done. An error before that is as
// good as a refusal. When it fails, the run is settled.
func (r *run) begin(ctx context.Context) error {
	s := &stream{run: r, in: bufio.NewReaderSize(r.body, 16<<10)}
	r.stream = s
	stop := context.AfterFunc(ctx, r.cancel)
	defer stop()
	for {
		e := s.read()
		if e.err == nil && e.done && !s.finished && len(s.ahead) == 0 {
			e.err = errAnswer // it is over, and there was nothing
		}
		if e.err != nil {
			working := errors.Is(e.err, errBroken) || errors.Is(e.err, errSlow)
			r.settle(r.unanswered(s.reported, answerBytes(e.choices), working))
			return e.err
		}
		r.slow.Stop()
		said := answerBytes(e.choices) > 0
		if said || e.done || s.finished || len(s.ahead) < maxAhead {
			s.ahead = append(s.ahead, e)
		}
		if said || e.done || s.finished {
			return nil
		}
	}
}

// next returns the next chunk, nil at the end.
func (s *stream) next(ctx context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil, s.err
	}
	stop := context.AfterFunc(ctx, s.cancel)
	defer stop()
	var e event
	if len(s.ahead) > 0 {
		e, s.ahead = s.ahead[0], s.ahead[1:]
	} else {
		e = s.read()
	}
	s.seen += answerBytes(e.choices)
	switch {
	case e.err != nil:
		s.finish(e.err)
		return nil, e.err
	case e.done:
		return s.lastChunk(), nil
	}
	// No token is that long on the average; and what is over the bound costs no one's
	// app anything, and the provider's patience.
	if s.seen > 64<<10+tokenBytes*s.bounds.answer {
		s.finish(errEndless)
		return nil, errEndless
	}
	return s.sign("chat.completion.chunk", e.choices, nil), nil
}

// read reads the next event that has choices, or that ends the stream.
func (s *stream) read() event {
	for {
		data, err := s.data()
		if data = bytes.TrimSpace(data); string(data) == "null" {
			continue
		}
		if string(data) == "[DONE]" || errors.Is(err, io.EOF) && s.finished {
			return event{done: true}
		}
		if err != nil {
			return event{err: s.ending(err)}
		}
		chunk := readReply(data)
		if chunk.usage != nil {
			s.reported = chunk.usage // some servers count along: the last one counts
		}
		if e := s.chunk(chunk); e.err != nil || len(e.choices) > 0 {
			return e
		}
	}
}

// ending is why a stream could not be read further.
func (s *stream) ending(err error) error {
	switch {
	case s.asked.Err() != nil:
		return errSlow
	case errors.Is(err, io.EOF) && !s.began && s.reported == nil:
		return errAnswer // there was nothing
	case errors.Is(err, errAnswer), errors.Is(err, errEndless):
		return err
	}
	return errBroken
}

// chunk makes a reply a chunk. Some servers send a whole response though a stream was asked for.
func (s *stream) chunk(r reply) event {
	for i := range r.choices {
		c := &r.choices[i]
		if c.Delta == nil {
			c.Delta, c.Message = c.Message, nil
		}
		c.Message = nil
		s.began = true
		s.finished = s.finished || s.plain || c.FinishReason != nil
	}
	return event{choices: r.choices, err: r.err}
}

// data is the data of the next event, or the whole response of an upstream that sends no events.
func (s *stream) data() ([]byte, error) {
	if !s.began && !s.plain {
		if first, err := firstByte(s.in); err == nil && strings.ContainsRune("{[<", rune(first)) {
			s.plain = true
			raw, err := io.ReadAll(io.LimitReader(s.in, maxAnswer+1))
			if len(raw) > maxAnswer {
				err = errEndless
			} else if cut(raw) {
				err = errBroken
			}
			return raw, err
		}
	}
	return readEvent(s.in)
}

// firstByte is the next byte that is no white space; it stays unread.
func firstByte(in *bufio.Reader) (byte, error) {
	for {
		next, err := in.Peek(1)
		if err != nil {
			return 0, err
		}
		if !bytes.ContainsAny(next, " \t\r\n") {
			return next[0], nil
		}
		_, _ = in.Discard(1) // what was peeked at is there
	}
}

// lastChunk tells what was used, whether the upstream did or not.
func (s *stream) lastChunk() []byte {
	used := s.used()
	s.report(s.reported, used)
	s.finish(nil)
	return s.sign("chat.completion.chunk", []abi.ChatChoice{}, used.usage())
}

// readEvent reads the data of the next server-sent event (WHATWG HTML, section
// 9.2.6), as far as these streams use them.
func readEvent(in *bufio.Reader) ([]byte, error) {
	var data []byte
	for room := maxEvent; ; {
		line, err := readLine(in, room)
		if err != nil {
			return nil, err
		}
		room -= len(line)
		line = bytes.TrimRight(line, "\r\n")
		if text, found := bytes.CutPrefix(line, []byte("data:")); found {
			if data != nil {
				data = append(data, '\n')
			}
			data = append(data, bytes.TrimPrefix(text, []byte(" "))...)
		}
		if len(line) == 0 && len(data) > 0 {
			return data, nil
		}
	}
}

// readLine reads a line and its end, of at most room bytes.
func readLine(in *bufio.Reader, room int) (line []byte, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > room {
			return nil, errAnswer
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}
