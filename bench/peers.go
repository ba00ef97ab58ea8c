package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/gateway"
)

// peer is another host, under net/http, that serves work which Agora serves too.
type peer struct {
	name  string
	serve func(workload) (http.Handler, error)
}

// peers are those that this binary was built with: see extism.go and wasmtime.go.
var peers []peer

// workload is what every host of WebAssembly serves, asked with a GET, or with a POST
// if there is a body.
type workload struct {
	title, name string
	module      []byte // of interface abi/v1
	body, want  []byte
}

//go:embed apps/transform.wasm
var transform []byte

// order is 1 of the 10 that a document of about 1 KB has.
const order = `{"id": 1234, "item": "a \"quoted\" thing", "tags": ["red", "small", null, true], "cents": -1299}`

var workloads = []workload{
	{title: "minimal app", name: "minimal", module: minimal(answer), want: []byte(answer)},
	{
		title: "JSON transform in C", name: "transform", module: transform,
		body: []byte(`{"orders": [` + strings.Join(slices.Repeat([]string{order}, 10), ",\n ") + "]}"),
		want: []byte(`{"data":{"ORDERS":[` + strings.Join(slices.Repeat([]string{
			`{"ID":1234,"ITEM":"A \"QUOTED\" THING","TAGS":["RED","SMALL",null,true],"CENTS":-1299}`,
		}, 10), ",") + `]},"sum":-650}`),
	},
}

// minimal is the smallest native app: it returns a constant.
func minimal(text string) []byte {
	return wasmtest.App{Frame: abi.AppendResponse(nil, &abi.Response{
		Status: 200, Header: []abi.Field{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}}, Body: []byte(text),
	})}.Bytes()
}

// serveFrames is all that is HTTP of a peer: call gets the frame of a request, and
// returns that of a response.
func serveFrames(call func(frame []byte) ([]byte, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request abi.Request
		if err := gateway.Frame(&request, r, 1<<20, nil); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		frame, err := call(abi.AppendRequest(nil, &request))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		response, err := abi.DecodeResponse(frame)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		for _, f := range response.Header {
			w.Header().Add(f.Name, f.Value)
		}
		w.WriteHeader(response.Status)
		_, _ = w.Write(response.Body)
	})
}

// check asks a server once, and fails unless it returns what it should, byte for byte.
func (s *server) check() error {
	body, err := s.once()
	if err == nil && !bytes.Equal(body, s.want) {
		err = fmt.Errorf("answered %q instead of %q", body, s.want)
	}
	return err
}

// once asks a server, and returns the body of its response.
func (s *server) once() ([]byte, error) {
	method := http.MethodGet
	if s.body != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequest(method, "http://"+s.addr+s.path, bytes.NewReader(s.body))
	if err != nil {
		return nil, err
	}
	r.Host = s.host
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("answered %s %q", resp.Status, body)
	}
	return body, err
}
