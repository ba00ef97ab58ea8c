//go:build !wasip1

package stream

import (
	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/guest"
)

// sent is what the handler under test has sent.
var sent *abi.Response

// Collect runs a response's Send, for an app's tests, and returns what a caller
// would have received.
func Collect(r guest.Response) guest.Response {
	if r.Send == nil {
		return r
	}
	send := r.Send
	r.Send = nil
	if r.Status == 0 {
		r.Status = 200
	}
	sent = nil
	send(r)
	return guest.Response{Status: sent.Status, Header: sent.Header, Body: sent.Body}
}

func start(frame []byte) ([]byte, error) {
	r, err := abi.DecodeResponse(frame)
	if err != nil {
		return nil, err
	}
	sent = &r
	return nil, nil
}

func write(p []byte) ([]byte, error) {
	sent.Body = append(sent.Body, p...)
	return nil, nil
}
