package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/agora-host/agora/access"
)

// signInTurns is how often quiet spans and spans with sign-ins take turns: the machine's speed
// drifts, and a ratio is taken of neighbours.
const signInTurns = 7

// benchSignIns asks many apps in turn while people sign in: a change of the state that is about no
// app must cost no app its route, nor its program.
func benchSignIns(ctx context.Context, apps int, span time.Duration) error {
	n, err := startNode(ctx)
	if err != nil {
		return err
	}
	defer n.close(ctx)
	hosts := make([]string, apps)
	for i := range hosts {
		if hosts[i], err = n.publish(ctx, "small-"+strconv.Itoa(i), distinct(i)); err != nil {
			return err
		}
		if err := once(n.Addr().String(), hosts[i]); err != nil {
			return err
		}
	}
	for i := range 50 {
		if _, err := n.People.TokenFor(ctx, fmt.Sprintf("p%d@example.com", i), "bench", time.Hour, access.RoleViewer); err != nil {
			return err
		}
	}
	var quiet, busy []time.Duration
	var p50, p99 []float64
	made := 0
	for range signInTurns {
		q, err := n.askInTurn(hosts, span)
		if err != nil {
			return err
		}
		signingIn, stop := context.WithCancel(ctx)
		var group sync.WaitGroup
		var count int
		var failed error
		group.Go(func() { count, failed = n.signIns(signingIn, 20*time.Millisecond) })
		b, err := n.askInTurn(hosts, span)
		stop()
		group.Wait()
		if err := errors.Join(err, failed); err != nil {
			return err
		}
		made += count
		quiet, busy = append(quiet, q...), append(busy, b...)
		p50, p99 = append(p50, float64(at(b, 50))/float64(at(q, 50))), append(p99, float64(at(b, 99))/float64(at(q, 99)))
	}
	slices.Sort(quiet)
	slices.Sort(busy)
	fmt.Printf("\nSign-ins: %d minimal apps asked in turn over 2 connections with 2 ms of thought, %d turns of %s\n\n", apps, signInTurns, span)
	fmt.Println("| beside | p50 | p99 | ratio of p50 | ratio of p99, median of the turns | lowest | highest |\n|---|---:|---:|---:|---:|---:|---:|")
	fmt.Printf("| nothing | %.2f ms | %.2f ms | 1.00 | 1.00 | | |\n", ms(at(quiet, 50)), ms(at(quiet, 99)))
	fmt.Printf("| %.0f sign-ins a second | %.2f ms | %.2f ms | %.2f | %.2f | %.2f | %.2f |\n", float64(made)/(span*signInTurns).Seconds(),
		ms(at(busy, 50)), ms(at(busy, 99)), median(p50), median(p99), slices.Min(p99), slices.Max(p99))
	return nil
}

// askInTurn asks the hosts in turn over two connections, and returns how long each request took,
// sorted.
func (n *benchNode) askInTurn(hosts []string, span time.Duration) (all []time.Duration, err error) {
	var mu sync.Mutex
	var group sync.WaitGroup
	for from := range 2 {
		group.Go(func() {
			times, failed := visitInTurn(n.Addr().String(), hosts, from*len(hosts)/2, time.Now().Add(span))
			mu.Lock()
			defer mu.Unlock()
			all, err = append(all, times...), errors.Join(err, failed)
		})
	}
	group.Wait()
	slices.Sort(all)
	return all, err
}

func visitInTurn(addr string, hosts []string, from int, end time.Time) (times []time.Duration, err error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	in := bufio.NewReader(c)
	for i := from; time.Now().Before(end); i++ {
		took, err := visit(c, in, hosts[i%len(hosts)])
		if err != nil {
			return times, err
		}
		times = append(times, took)
		time.Sleep(2 * time.Millisecond)
	}
	return times, nil
}

// signIns has people sign in by links, one in each interval, and returns how many did.
func (n *benchNode) signIns(ctx context.Context, every time.Duration) (count int, err error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for {
		select {
		case <-ctx.Done():
			return count, nil
		case <-tick.C:
		}
		link, err := n.People.Welcome(context.WithoutCancel(ctx), fmt.Sprintf("p%d@example.com", count%50))
		if err != nil {
			return count, err
		}
		u, err := url.Parse(link)
		if err != nil {
			return count, err
		}
		resp, err := browser.Post(n.ConsoleURL()+"/sign-in", "application/x-www-form-urlencoded", strings.NewReader(url.Values{"link": {u.Query().Get("link")}}.Encode()))
		if err != nil {
			return count, err
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusSeeOther {
			return count, fmt.Errorf("the sign-in got %s", resp.Status)
		}
		count++
	}
}
