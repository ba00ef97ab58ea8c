package door_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/internal/door"
)

// TestShutdownLetsOut: clients that had connected when the door closes are served, also those
// that were not accepted yet, and each response says that it is the last.
func TestShutdownLetsOut(t *testing.T) {
	for range 5 {
		f := open(t, echo, func(o *door.Options) { o.PerAddress = 60 })
		var failed, served, refused atomic.Int64
		var clients sync.WaitGroup
		stop := make(chan struct{})
		for range 8 {
			clients.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					c, err := net.DialTimeout("tcp", f.Addr().String(), 200*time.Millisecond)
					if err != nil {
						refused.Add(1)
						continue
					}
					fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
					resp, err := http.ReadResponse(bufio.NewReader(c), nil)
					if err == nil {
						_, err = io.Copy(io.Discard, resp.Body)
					}
					if err != nil {
						failed.Add(1)
						t.Log(err)
					}
					served.Add(1)
					c.Close()
				}
			})
		}
		until(t, "there is load", func() bool { return served.Load() > 200 })
		if cut := f.shut(); cut != 0 {
			t.Errorf("%d connections were cut", cut)
		}
		close(stop)
		clients.Wait()
		if failed.Load() > 0 {
			t.Errorf("%d of %d requests failed", failed.Load(), served.Load())
		}
	}
}

// TestShutdownKeepsIdle: a connection that was idle when the door began to close is served once
// more if a request comes on it, and closed if none does.
func TestShutdownKeepsIdle(t *testing.T) {
	f := open(t, echo)
	var conns []net.Conn
	for range 2 {
		c, err := net.Dial("tcp", f.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.Close {
			t.Fatalf("%+v, %v", resp, err)
		}
		conns = append(conns, c)
	}
	done := make(chan struct{})
	go func() { defer close(done); f.shut() }()
	time.Sleep(100 * time.Millisecond)
	fmt.Fprint(conns[0], "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp, err := http.ReadResponse(bufio.NewReader(conns[0]), nil); err != nil || !resp.Close {
		t.Errorf("%+v, %v", resp, err)
	}
	if n, err := conns[1].Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("%d, %v", n, err)
	}
	<-done
}

// TestShutdownMeetsAccept: a door that closes while its server leaves Accept closes its listener
// twice, and reports no error of it.
func TestShutdownMeetsAccept(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 300 {
		if _, err := open(t, echo).Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
	}
}
