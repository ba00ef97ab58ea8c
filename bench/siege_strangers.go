package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/internal/siege"
)

// siegeStrangers has one address take connections, bodies and responses of the node, and asks a
// neighbour from another.
func siegeStrangers(ctx context.Context, span time.Duration) error {
	n, err := besiege(ctx, 0, []string{owner}, nil)
	if err != nil {
		return err
	}
	defer n.stop()
	neighbour, err := n.install(ctx, owner, "neighbour", "concurrency = 32", minimal(answer))
	if err != nil {
		return err
	}
	large, err := n.install(ctx, owner, "large", "concurrency = 32\nmemory = \"32MiB\"\nrequest_body = \"4MiB\"\nresponse_body = \"16MiB\"", sends(15<<20))
	if err != nil {
		return err
	}
	elsewhere := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	fmt.Printf("\nStrangers: one address attacks, a neighbour is asked from another; %s each\n\n", span)
	fmt.Println("| attack | p50 | p99 | p99 ratio | resident memory | kernel's socket memory |\n|---|---:|---:|---:|---:|---:|")
	quiet, err := visitsFrom(elsewhere, n.Addr, neighbour, span)
	if err != nil {
		return err
	}
	rss := n.resident()
	fmt.Printf("| nothing | %.2f ms | %.2f ms | 1.0 | %d MiB | %d MiB |\n", ms(at(quiet, 50)), ms(at(quiet, 99)), rss>>20, socketMemory()>>20)
	target := siege.Target{Addr: n.Addr, Host: large, From: "127.0.0.3"}
	for _, attack := range []struct {
		name  string
		begin func(context.Context) *siege.Attack
	}{
		{"5,000 unfinished bodies of 4 MiB", func(ctx context.Context) *siege.Attack {
			return target.Unfinished(ctx, 5000, 4<<20, 2<<20, time.Second)
		}},
		{"5,000 slow readers of 15 MiB", func(ctx context.Context) *siege.Attack { return target.Unread(ctx, 5000) }},
		{"5,000 silent connections", func(ctx context.Context) *siege.Attack { return target.Silent(ctx, 5000) }},
		{"10,000 idle connections", func(ctx context.Context) *siege.Attack {
			return siege.Target{Addr: n.Addr, Host: neighbour, From: "127.0.0.3"}.Idle(ctx, 10_000)
		}},
	} {
		attacking, stop := context.WithCancel(ctx)
		running := attack.begin(attacking)
		time.Sleep(2 * time.Second)
		times, err := visitsFrom(elsewhere, n.Addr, neighbour, span)
		memory, sockets := n.resident(), socketMemory()
		stop()
		running.Wait()
		if err != nil {
			return fmt.Errorf("%s: %w", attack.name, err)
		}
		fmt.Printf("| %s | %.2f ms | %.2f ms | %.1f | %+d MiB | %d MiB |\n", attack.name, ms(at(times, 50)), ms(at(times, 99)),
			float64(at(times, 99))/float64(at(quiet, 99)), (memory-rss)>>20, sockets>>20)
		time.Sleep(time.Second)
	}
	return nil
}

// sends is an app whose response has a body of so many zeros: they are in its memory already.
func sends(size int) []byte {
	frame := abi.AppendResponse(nil, &abi.Response{Status: 200, Body: make([]byte, size)})
	return wasmtest.App{
		Frame: frame[:len(frame)-size], Pages: uint32(size/65536 + 2),
		Raw: wasm.AppendS64([]byte{wasm.OpI64Const}, int64(abi.PackResult(wasmtest.ResponseAt, uint32(len(frame))))),
	}.Bytes()
}

// resident returns how many bytes the process has in memory now.
func (n *siegeNode) resident() int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", n.cmd.Process.Pid))
	fields := strings.Fields(string(raw))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// socketMemory returns what the kernel keeps for all TCP sockets of the machine.
func socketMemory() int64 {
	raw, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "TCP:"); ok {
			fields := strings.Fields(rest)
			pages, _ := strconv.ParseInt(fields[len(fields)-1], 10, 64)
			return pages * int64(os.Getpagesize())
		}
	}
	return 0
}
