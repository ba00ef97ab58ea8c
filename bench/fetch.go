package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/capability/fetch"
	"github.com/agora-host/agora/host/engine"
)

// benchFetch times calls of fetch beside a plain Go client that asks the same
// server: what the capability costs is the difference. The three take turns, so
// that what else the machine does falls on all of them.
func benchFetch(ctx context.Context) error {
	const rounds, calls = 40, 100
	body := strings.Repeat("x", 1000)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
	defer s.Close()
	f := fetch.New(fetch.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Logger: slog.New(slog.DiscardHandler)})
	defer func() { _ = f.Close(ctx) }()
	link := f.Bind(fetch.App{Name: "bench"}, abi.Params{"allow": s.URL, "max_calls": "1", "max_request": "1000", "max_response": "100000"})
	frame := abi.AppendRequest(nil, &abi.Request{Method: "GET", Host: s.URL, Path: "/"})
	p, closeEngine, err := loadFetcher(ctx, frame)
	if err != nil {
		return err
	}
	defer closeEngine()
	ways := []struct {
		name string
		call func() error
		took []time.Duration
	}{
		{name: "plain Go client", call: func() error { return askPlainly(s.URL) }},
		{name: "fetch, frame in to frame out", call: func() error { return askLink(ctx, link, frame) }},
		{name: "an app that calls it, whole invocation", call: func() error { return askThrough(ctx, p, link) }},
	}
	for round := range rounds {
		for i := range ways {
			way := &ways[i]
			for range calls {
				began := time.Now()
				if err := way.call(); err != nil {
					return fmt.Errorf("%s: %w", way.name, err)
				}
				if round > 0 {
					way.took = append(way.took, time.Since(began))
				}
			}
		}
	}
	fmt.Printf("\nfetch: one call after the other to a server beside it, answers of %d bytes, %d calls each, taking turns\n\n", len(body), (rounds-1)*calls)
	fmt.Println("| | p50 | p99 | over the plain client, p50 |\n|---|---:|---:|---:|")
	base := median(ways[0].took)
	for _, way := range ways {
		slices.Sort(way.took)
		p50, p99 := way.took[len(way.took)/2], way.took[len(way.took)*99/100]
		fmt.Printf("| %s | %.1f µs | %.1f µs | %.1f µs |\n", way.name, micros(p50), micros(p99), micros(p50-base))
	}
	return nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func loadFetcher(ctx context.Context, frame []byte) (*engine.Program, func(), error) {
	e, _, remove, err := newEngine()
	if err != nil {
		return nil, nil, err
	}
	p, err := e.Load(ctx, wasmtest.Calls(abi.FetchModule, abi.FetchDo, frame), abi.InterfaceV1, roomy)
	return p, func() { _ = e.Close(ctx); remove() }, err
}

func askPlainly(url string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.ReadAll(resp.Body)
	return err
}

// inInvocation gives a call what an invocation gives it.
func inInvocation(ctx context.Context, call func(context.Context) error) error {
	var rec abi.Recorder
	defer rec.End()
	return call(abi.WithRecorder(ctx, &rec))
}

func askLink(ctx context.Context, link abi.Link, frame []byte) error {
	return inInvocation(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if _, errno := link[abi.FetchDo](ctx, frame); errno != abi.ErrnoOK {
			return errno
		}
		return nil
	})
}

func askThrough(ctx context.Context, p *engine.Program, link abi.Link) error {
	return inInvocation(ctx, func(ctx context.Context) error {
		r, err := p.Invoke(ctx, engine.Call{Request: &abi.Request{Method: "GET", Path: "/", Host: "bench"}, Links: map[string]abi.Link{"fetch": link}})
		if err == nil && r.Response.Status != http.StatusOK {
			err = errors.New("the app did not answer")
		}
		return err
	})
}
