//go:build !wasip1

package stream_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/agora-host/agora/sdk/guest/stream"
)

func TestAnswer(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	r := stream.Collect(stream.Answer(0, "text/plain", func(w io.Writer) error {
		fmt.Fprint(w, "one ")
		_, err := io.WriteString(w, long)
		return err
	}))
	if r.Status != 200 || string(r.Body) != "one "+long || r.Header[0].Value != "text/plain" {
		t.Errorf("%d %v, %d bytes", r.Status, r.Header, len(r.Body))
	}
}

func TestEvents(t *testing.T) {
	r := stream.Collect(stream.Events(func(send func(event, data string)) error {
		send("", "plain")
		send("tick\ndata: forged", "two\r\nlines\revent: forged")
		return nil
	}))
	want := "data: plain\n\nevent: tick data: forged\ndata: two\ndata: lines\ndata: event: forged\n\n"
	if string(r.Body) != want {
		t.Errorf("sent %q\nwant %q", r.Body, want)
	}
}
