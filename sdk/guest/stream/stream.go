package stream

import (
	"bytes"
	"io"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/guest"
)

// Answer makes a response whose body write sends. What it writes goes out at
// once, and writing waits for a caller who is slow. When the caller leaves, the app
// is stopped; there is no error to look at. An error that write returns breaks
// the response off.
func Answer(status int, contentType string, write func(w io.Writer) error) guest.Response {
	return guest.Response{Status: status, Send: func(head guest.Response) {
		check(start(abi.AppendResponse(nil, &abi.Response{Status: head.Status, Header: head.Header, Body: head.Body})))
		if err := write(writer{}); err != nil {
			panic(err)
		}
	}}.With("Content-Type", contentType)
}

// Events makes a response of server-sent events, as a page reads them with
// EventSource. send sends one event; an event without a name is a "message".
func Events(serve func(send func(event, data string)) error) guest.Response {
	return Answer(200, abi.EventStream, func(w io.Writer) error {
		return serve(func(event, data string) { check(w.Write(appendEvent(nil, event, data))) })
	}).With("Cache-Control", "no-store")
}

// appendEvent writes an event (WHATWG HTML, section 9.2.5). Line breaks would
// start another field, so a name loses them and data becomes several lines.
func appendEvent(b []byte, event, data string) []byte {
	if event != "" {
		b = append(append(append(b, "event: "...), strings.NewReplacer("\n", " ", "\r", " ").Replace(event)...), '\n')
	}
	data = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(data)
	for line := range strings.SplitSeq(data, "\n") {
		b = append(append(append(b, "data: "...), line...), '\n')
	}
	return append(b, '\n')
}

type writer struct{}

func (writer) Write(p []byte) (int, error) {
	rest := bytes.NewBuffer(p)
	for rest.Len() > 0 {
		if _, err := write(rest.Next(piece)); err != nil {
			return len(p) - rest.Len(), err
		}
	}
	return len(p), nil
}

// piece is the most bytes that one call hands over.
const piece = 64 << 10

// check panics: nothing can be said to the caller any more.
func check[T any](_ T, err error) {
	if err != nil {
		panic(err)
	}
}
