package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// benchDensity fills a node with apps and asks one of them, and then all of
// them at random: what does it cost that they are many?
func benchDensity(ctx context.Context, apps int, span time.Duration) error {
	n, err := startNode(ctx)
	if err != nil {
		return err
	}
	defer n.close(ctx)
	hosts := make([]string, apps)
	started := time.Now()
	for i := range hosts {
		if hosts[i], err = n.publish(ctx, "app-"+strconv.Itoa(i), minimal(fmt.Sprint("app ", i))); err != nil {
			return err
		}
	}
	published := time.Since(started)
	addr := n.Addr().String()
	before := resident()
	started = time.Now()
	for _, h := range hosts {
		if err := once(addr, h); err != nil {
			return fmt.Errorf("%s: %w", h, err)
		}
	}
	loaded := time.Since(started)
	each := (resident() - before) / int64(apps)
	one, err := drive(addr, hosts[:1], "/", span)
	if err != nil {
		return err
	}
	all, err := drive(addr, hosts, "/", span)
	if err != nil {
		return err
	}
	fmt.Printf("\nDensity: %d minimal apps, published in %.1f s\n\n", apps, published.Seconds())
	fmt.Println("| what | |")
	fmt.Println("|---|---:|")
	fmt.Printf("| first answer of an app that is stored and not loaded | %.2f ms |\n", ms(loaded)/float64(apps))
	fmt.Printf("| resident memory for each app that is loaded | %d KiB |\n", each>>10)
	fmt.Printf("| requests/s to one app | %.0f |\n", one.perSecond)
	fmt.Printf("| requests/s to all, at random | %.0f |\n", all.perSecond)
	fmt.Printf("| one app against all | %.2f |\n", one.perSecond/all.perSecond)
	return nil
}

// resident is this process's memory in bytes, after a collection.
func resident() int64 {
	debug.FreeOSMemory()
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, err := strconv.ParseInt(strings.Fields(string(raw))[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
