package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// benchStream times how long what an app writes is on its way to its caller, who
// waits for it: the app writes the time, and the reader looks at the same clock.
func benchStream(ctx context.Context) error {
	n, err := startNode(ctx)
	if err != nil {
		return err
	}
	defer n.close(ctx)
	module, err := goGuest(".", "./apps/pulse", "c-shared", n.dir)
	if err != nil {
		return err
	}
	host, err := n.publish(ctx, "pulse", module)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	go func() { _ = http.Serve(l, http.HandlerFunc(pulse)) }()
	var plain, app []time.Duration
	for range 3 {
		for _, s := range []struct {
			addr, host string
			to         *[]time.Duration
		}{{l.Addr().String(), "localhost", &plain}, {n.Addr().String(), host, &app}} {
			times, err := onTheWay(s.addr, s.host)
			if err != nil {
				return err
			}
			*s.to = append(*s.to, times...)
		}
	}
	fmt.Print("\nStreams: from the write to the reader, a line every 5 ms\n\n| who writes | first line, longest | p50 | p99 |\n|---|---:|---:|---:|\n")
	for _, s := range []struct {
		name  string
		times []time.Duration
	}{{"net/http, flushed", plain}, {"an app (Go)", app}} {
		first := max(s.times[0], s.times[len(s.times)/3], s.times[2*len(s.times)/3])
		slices.Sort(s.times)
		fmt.Printf("| %s | %.3f ms | %.3f ms | %.3f ms |\n", s.name, ms(first), ms(median(s.times)), ms(s.times[len(s.times)*99/100]))
	}
	return nil
}

// pulse does what the app of that name does.
func pulse(w http.ResponseWriter, _ *http.Request) {
	for range 100 {
		time.Sleep(5 * time.Millisecond)
		_, _ = fmt.Fprintln(w, time.Now().UnixNano())
		_ = http.NewResponseController(w).Flush()
	}
}

func onTheWay(addr, host string) (times []time.Duration, err error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewReader(resp.Body)
	for range 100 {
		line, err := lines.ReadString('\n')
		now := time.Now().UnixNano()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", resp.Status, err)
		}
		written, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
		if err != nil {
			return nil, err
		}
		times = append(times, time.Duration(now-written))
	}
	return times, nil
}
