package llm

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"github.com/agora-host/agora/abi"
)

const (
	maxOpen  = 4       // streams of one invocation
	maxEvent = 1 << 20 // bytes of one event
)

// stream is an answer that comes piece by piece.
type stream struct {
	*run
	mu       sync.Mutex // guards all below: the end of an invocation may meet a read
	in       *bufio.Reader
	seen     int64 // bytes that the model said
	finished bool  // the model said that it is done
	reported *abi.ChatUsage
	over     bool
	err      error // how it ended, if it broke
}

func (g *grant) openStream(ctx context.Context, in []byte) ([]byte, abi.Errno) {
	session := g.session(ctx)
	if session.open() >= maxOpen {
		return nil, abi.ErrnoQuota
	}
	limited, cancel := abi.LeaveTime(ctx)
	defer cancel()
	r, errno := g.begin(limited, in, true)
	if errno != abi.ErrnoOK {
		return nil, errno
	}
	s := &stream{run: r, in: bufio.NewReaderSize(r.body, 16<<10)}
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

// next answers the next chunk, nil at the end.
func (s *stream) next(ctx context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil, s.err
	}
	stop := context.AfterFunc(ctx, s.cancel)
	defer stop()
	for {
		event, err := readEvent(s.in)
		if bytes.Equal(event, []byte("[DONE]")) || errors.Is(err, io.EOF) && s.finished {
			return s.lastChunk()
		}
		var chunk *abi.ChatResponse
		switch {
		case err == nil:
			chunk, err = s.take(event)
		case ctx.Err() != nil:
			err = errSlow
		case !errors.Is(err, errAnswer):
			err = errBroken
		}
		if err != nil {
			s.finish(err)
			return nil, err
		}
		if len(chunk.Choices) > 0 {
			return json.Marshal(chunk)
		}
	}
}

// take reads one event.
func (s *stream) take(event []byte) (*abi.ChatResponse, error) {
	var chunk struct {
		abi.ChatResponse
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(event, &chunk) != nil {
		return nil, errAnswer
	}
	if len(chunk.Error) > 0 && string(chunk.Error) != "null" {
		return nil, errBroken
	}
	if chunk.Usage != nil {
		s.reported = chunk.Usage // some servers count along: the last one counts
	}
	s.seen += answerBytes(chunk.Choices)
	// No token is that long on the average; and what is over the bound costs nobody's
	// app anything, and the provider's patience.
	if s.seen > 64<<10+16*s.bounds.answer {
		return nil, errEndless
	}
	for _, c := range chunk.Choices {
		s.finished = s.finished || c.FinishReason != nil
	}
	s.sign(&chunk.ChatResponse, "chat.completion.chunk")
	chunk.Usage = nil
	return &chunk.ChatResponse, nil
}

// lastChunk tells what was used, whether the upstream did or not.
func (s *stream) lastChunk() ([]byte, error) {
	chunk := abi.ChatResponse{Choices: []abi.ChatChoice{}, Usage: s.used().usage()}
	s.sign(&chunk, "chat.completion.chunk")
	s.finish(nil)
	return json.Marshal(chunk)
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
