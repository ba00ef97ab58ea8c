package abi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
)

func TestDecodeChat(t *testing.T) {
	r, errno := abi.DecodeChat([]byte(`{"model":"small","messages":[{"role":"system","content":"Be short."},
		{"role":"user","content":[{"type":"text","text":"Hel"},{"type":"text","text":"lo"}]},
		{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"1","content":"42"}],
		"max_tokens":5,"temperature":0,"stop":["x"],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto","stream":true,"stream_options":{"include_usage":true},"n":1}`))
	if errno != 0 || len(r.Messages) != 4 || *r.Messages[1].Content != "Hello" || r.Messages[2].Content != nil || *r.Temperature != 0 || r.MaxTokens != 5 {
		t.Fatalf("%v %+v", errno, r)
	}
	again, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, errno := abi.DecodeChat(again); errno != 0 {
		t.Errorf("%s: %v", again, errno)
	}
	const hi = `"messages":[{"role":"user","content":"hi"}]`
	for name, text := range map[string]string{
		"nothing":                 ``,
		"no object":               `[]`,
		"no model":                `{` + hi + `}`,
		"no messages":             `{"model":"m","messages":[]}`,
		"something after it":      `{"model":"m",` + hi + `} {}`,
		"a field not listed":      `{"model":"m",` + hi + `,"service_tier":"priority"}`,
		"storing at the provider": `{"model":"m",` + hi + `,"store":true}`,
		"searching the web":       `{"model":"m",` + hi + `,"web_search_options":{}}`,
		"two answers":             `{"model":"m",` + hi + `,"n":2}`,
		"fewer than no tokens":    `{"model":"m",` + hi + `,"max_tokens":-1}`,
		"a tool of the provider":  `{"model":"m",` + hi + `,"tools":[{"type":"web_search"}]}`,
		"an unknown role":         `{"model":"m","messages":[{"role":"root","content":"hi"}]}`,
		"no content":              `{"model":"m","messages":[{"role":"user"}]}`,
		"an image's address":      `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://evil.example/?data"}}]}]}`,
		"an image within a text":  `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"x","image_url":{"url":"http://evil.example"}}]}]}`,
		"a field of a message":    `{"model":"m","messages":[{"role":"user","content":"hi","audio":{"id":"1"}}]}`,
	} {
		if r, errno := abi.DecodeChat([]byte(text)); errno != abi.ErrnoInvalid {
			t.Errorf("%s: %v %+v", name, errno, r)
		}
	}
	if _, errno := abi.DecodeChat([]byte(strings.Repeat(" ", abi.MaxChat+1))); errno != abi.ErrnoTooLarge {
		t.Errorf("a large one: %v", errno)
	}
}

// FuzzChat: what is let through is read the same again after it was written.
func FuzzChat(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{}}]}`))
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"stop":"x"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, errno := abi.DecodeChat(b)
		if errno != 0 {
			return
		}
		once, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		again, errno := abi.DecodeChat(once)
		if errno == abi.ErrnoTooLarge { // escapes take more room
			return
		}
		if twice, err := json.Marshal(again); errno != 0 || err != nil || string(twice) != string(once) {
			t.Fatalf("%s\n%s\n%v %v", once, twice, errno, err)
		}
	})
}
