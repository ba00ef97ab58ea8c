package main

import (
	"fmt"
	"io"
	"time"

	"github.com/agora-host/agora/sdk/guest"
	"github.com/agora-host/agora/sdk/guest/stream"
)

func init() { guest.Handle(pulse) }

func main() {}

func pulse(*guest.Request) guest.Response {
	return stream.Answer(200, "text/plain", func(w io.Writer) error {
		for range 100 {
			time.Sleep(5 * time.Millisecond)
			if _, err := fmt.Fprintln(w, time.Now().UnixNano()); err != nil {
				return err
			}
		}
		return nil
	})
}
