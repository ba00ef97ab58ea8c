package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// siegeModules is how many different modules the apps of siegeRestarts have.
const siegeModules = 20

// siegeRestarts starts a node again and again whose queue holds a delivery for each of many apps,
// which share few modules: all of them load at once.
func siegeRestarts(ctx context.Context, apps, restarts int) error {
	dir, err := os.MkdirTemp("", "agora-siege")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	order := siegeOrder{Dir: filepath.Join(dir, "data"), Owners: []string{owner}, Hold: true}
	n, err := launchNode(ctx, dir, order, nil)
	if err != nil {
		return err
	}
	as, err := n.as(owner)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", n.Addr)
	}}}
	defer client.CloseIdleConnections()
	for i := range apps {
		name := fmt.Sprintf("queued-%d", i)
		address, err := as.publishWith(ctx, name, "[[triggers.webhook]]\nname = \"in\"\npath = \"/in\"\nverify = \"hmac-sha256\"\nsecret = \"in\"\ndeliver = \"queue\"\n", minimal(strings.Repeat("x", 100+i%siegeModules)))
		if err != nil {
			return err
		}
		if _, err := as.api.SetSecret(ctx, name, "in", []byte(hookSecret)); err != nil {
			return err
		}
		if err := hook(ctx, &client, address+"/in", "{}", signPlain, http.StatusAccepted); err != nil {
			return err
		}
	}
	if err := n.end(); err != nil {
		return err
	}
	kept := filepath.Join(dir, "kept")
	if err := os.Rename(order.Dir, kept); err != nil {
		return err
	}
	deaths, done := 0, 0
	var took []time.Duration
	order.Hold = false
	for range restarts {
		if err := os.RemoveAll(order.Dir); err != nil {
			return err
		}
		if err := os.CopyFS(order.Dir, os.DirFS(kept)); err != nil {
			return err
		}
		if err := privateFiles(order.Dir); err != nil {
			return err
		}
		began := time.Now()
		n, err := launchNode(ctx, dir, order, nil)
		if err != nil {
			return err
		}
		if n.drained(ctx, apps) {
			took = append(took, time.Since(began))
			done++
		}
		if n.end() != nil {
			deaths++
		}
	}
	fmt.Printf("\nRestarts: %d apps of %d modules, a delivery for each in the queue: of %d starts, %d ended by themselves and %d delivered all", apps, siegeModules, restarts, deaths, done)
	if len(took) > 0 {
		fmt.Printf(", in %s (median)", median(took).Round(time.Millisecond))
	}
	fmt.Println(".")
	return nil
}

// privateFiles gives copied files the mode that a node insists on.
func privateFiles(dir string) error {
	return filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		return os.Chmod(path, 0o600)
	})
}

// drained waits until each app's webhook was delivered, and reports whether it was.
func (n *siegeNode) drained(ctx context.Context, apps int) bool {
	as, err := n.as(owner)
	if err != nil {
		return false
	}
	end := time.Now().Add(time.Minute)
	for i := 0; i < apps; {
		all, err := as.api.Triggers(ctx, fmt.Sprintf("queued-%d", i))
		switch {
		case err != nil || time.Now().After(end):
			return false
		case len(all) == 1 && all[0].Done == 1:
			i++
		default:
			time.Sleep(5 * time.Millisecond)
		}
	}
	return true
}
