//go:build !wasip1

package llm

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/guest/internal/call"
)

var node = newFake()

// Answer has a function stand in for a model. What no function serves is denied.
func Answer(model string, f func(r abi.ChatRequest) string) { node.models[model] = f }

// Reset forgets all models, between tests.
func Reset() { node = newFake() }

// fake checks as the node does, and then asks a function.
type fake struct {
	models  map[string]func(abi.ChatRequest) string
	streams map[uint32][][]byte // what is still to come, by handle
	last    uint32
}

func newFake() *fake {
	return &fake{models: map[string]func(abi.ChatRequest) string{}, streams: map[uint32][][]byte{}}
}

func (f *fake) link() abi.Link {
	return abi.Link{abi.LLMChat: f.chat, abi.LLMOpen: f.open, abi.LLMNext: f.next, abi.LLMClose: f.close}
}

func (f *fake) ask(in []byte) (r abi.ChatRequest, said string, errno abi.Errno) {
	if r, errno = abi.DecodeChat(in); errno != abi.ErrnoOK {
		return r, "", errno
	}
	model := f.models[r.Model]
	if model == nil {
		return r, "", abi.ErrnoDenied
	}
	return r, model(r), abi.ErrnoOK
}

// usage counts words: it is there, and means nothing.
func usage(r abi.ChatRequest, said string) *abi.ChatUsage {
	u := &abi.ChatUsage{Answer: int64(len(strings.Fields(said)))}
	for _, m := range r.Messages {
		if u.Prompt++; m.Content != nil {
			u.Prompt += int64(len(strings.Fields(*m.Content)))
		}
	}
	u.Total = u.Prompt + u.Answer
	return u
}

func (f *fake) chat(_ context.Context, in []byte) ([]byte, abi.Errno) {
	r, said, errno := f.ask(in)
	if errno != abi.ErrnoOK {
		return nil, errno
	}
	stop := "stop"
	return encode(abi.ChatResponse{Object: "chat.completion", Model: r.Model, Usage: usage(r, said), Choices: []abi.ChatChoice{
		{Message: &abi.ChatAnswer{Role: "assistant", Content: &said}, FinishReason: &stop},
	}}), abi.ErrnoOK
}

func (f *fake) open(_ context.Context, in []byte) ([]byte, abi.Errno) {
	r, said, errno := f.ask(in)
	if errno != abi.ErrnoOK {
		return nil, errno
	}
	var chunks [][]byte
	for _, word := range strings.SplitAfter(said, " ") {
		chunks = append(chunks, encode(abi.ChatResponse{Object: "chat.completion.chunk", Model: r.Model, Choices: []abi.ChatChoice{{Delta: &abi.ChatAnswer{Content: &word}}}}))
	}
	f.last++
	f.streams[f.last] = append(chunks, encode(abi.ChatResponse{Object: "chat.completion.chunk", Model: r.Model, Choices: []abi.ChatChoice{}, Usage: usage(r, said)}))
	return abi.AppendHandle(nil, f.last), abi.ErrnoOK
}

func (f *fake) next(_ context.Context, in []byte) ([]byte, abi.Errno) {
	handle, ok := abi.DecodeHandle(in)
	if !ok {
		return nil, abi.ErrnoInvalid
	}
	chunks, ok := f.streams[handle]
	switch {
	case !ok:
		return nil, abi.ErrnoNotFound
	case len(chunks) == 0:
		return nil, abi.ErrnoOK
	}
	f.streams[handle] = chunks[1:]
	return chunks[0], abi.ErrnoOK
}

func (f *fake) close(_ context.Context, in []byte) ([]byte, abi.Errno) {
	handle, ok := abi.DecodeHandle(in)
	if !ok {
		return nil, abi.ErrnoInvalid
	}
	delete(f.streams, handle)
	return nil, abi.ErrnoOK
}

func encode(r abi.ChatResponse) []byte {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return b
}

func chat(in []byte) ([]byte, error)   { return call.Do(node.link(), abi.LLMChat, in) }
func open(in []byte) ([]byte, error)   { return call.Do(node.link(), abi.LLMOpen, in) }
func next(in []byte) ([]byte, error)   { return call.Do(node.link(), abi.LLMNext, in) }
func hangUp(in []byte) ([]byte, error) { return call.Do(node.link(), abi.LLMClose, in) }
