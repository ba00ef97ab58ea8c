package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// benchUpload times from the beginning of an upload to the first response of the
// release, for modules that were never seen.
func benchUpload(ctx context.Context) error {
	n, err := startNode(ctx)
	if err != nil {
		return err
	}
	defer n.close(ctx)
	quote, err := goApp("quote", "default", n.dir)
	if err != nil {
		return err
	}
	fmt.Println("\nFrom upload to first answer: sign, upload, verify, judge, compile in a child, store, route, load, run")
	fmt.Println("\n| module | size | published | first answer | in all |")
	fmt.Println("|---|---:|---:|---:|---:|")
	for _, app := range []struct {
		title  string
		name   string
		module []byte
		runs   int
	}{{"minimal", "minimal", nil, 9}, {"Go (quote)", "quote", quote, 1}} {
		var uploads, firsts []time.Duration
		size := 0
		for i := range app.runs {
			module := app.module
			if module == nil {
				module = distinct(i) // never seen before
			}
			size = len(module)
			started := time.Now()
			host, err := n.publish(ctx, app.name, module)
			if err != nil {
				return err
			}
			uploads = append(uploads, time.Since(started))
			if err := once(n.Addr().String(), host); err != nil {
				return err
			}
			firsts = append(firsts, time.Since(started)-uploads[i])
		}
		u, f := median(uploads), median(firsts)
		fmt.Printf("| %s | %.1f KiB | %.1f ms | %.1f ms | %.1f ms |\n", app.title, float64(size)/1024, ms(u), ms(f), ms(u+f))
	}
	return nil
}

func once(addr, host string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the first answer is %s", resp.Status)
	}
	return err
}
