package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// A node under siege is a process of its own: its clients share the machine with it, and neither
// its memory nor its processors.

// siegeOrder is what the process is told.
type siegeOrder struct {
	Dir    string
	Memory int64
	Owners []string
	// Hold starts the node with its triggers paused.
	Hold bool
}

// siegeReady is what it says once it serves.
type siegeReady struct {
	Addr, Console string
	Tokens        map[string]string // of owners, and of "viewer"
}

const viewer = "viewer@example.com"

// runSiegeNode is that process, until it is told to stop.
func runSiegeNode(order string) error {
	var o siegeOrder
	if err := json.Unmarshal([]byte(order), &o); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	node.TuneProcess(o.Memory)
	h, err := node.New(ctx, node.Options{DataDir: o.Dir, Listen: "127.0.0.1:0", Audience: "public", Memory: o.Memory, Worker: []string{exe}, PauseTriggers: o.Hold, Quotas: manyApps})
	if err != nil {
		return err
	}
	ready := siegeReady{Addr: h.Addr().String(), Console: h.ConsoleURL(), Tokens: map[string]string{}}
	for _, owner := range o.Owners {
		if ready.Tokens[owner], err = h.People.TokenFor(ctx, owner, "siege", time.Hour, access.RoleDeveloper); err != nil {
			return errors.Join(err, h.Stop(ctx))
		}
	}
	if ready.Tokens[viewer], err = h.People.TokenFor(ctx, viewer, "siege", time.Hour, access.RoleViewer); err != nil {
		return errors.Join(err, h.Stop(ctx))
	}
	if err := json.NewEncoder(os.Stdout).Encode(ready); err != nil {
		return err
	}
	return h.Run(ctx)
}

// siegeNode is such a process, as its clients see it.
type siegeNode struct {
	siegeReady
	cmd *exec.Cmd
	dir string
}

// besiege starts a node in a new directory, with apps' owners. prepare, if not nil, changes how the
// process is started.
func besiege(ctx context.Context, memory int64, owners []string, prepare func(*exec.Cmd)) (*siegeNode, error) {
	dir, err := os.MkdirTemp("", "agora-siege")
	if err != nil {
		return nil, err
	}
	return launchNode(ctx, dir, siegeOrder{Dir: filepath.Join(dir, "data"), Memory: memory, Owners: owners}, prepare)
}

// launchNode starts a node whose data is in dir/data.
func launchNode(ctx context.Context, dir string, o siegeOrder, prepare func(*exec.Cmd)) (*siegeNode, error) {
	order, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	n := &siegeNode{cmd: exec.CommandContext(ctx, exe, "siege-node", string(order)), dir: dir}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	n.cmd.Stderr = log
	if prepare != nil {
		prepare(n.cmd)
	}
	out, err := n.cmd.StdoutPipe()
	if err == nil {
		err = n.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&n.siegeReady); err != nil {
		text, _ := os.ReadFile(filepath.Join(dir, "log"))
		return nil, fmt.Errorf("the node did not start: %w\n%s", errors.Join(err, n.stop()), text)
	}
	return n, nil
}

// as returns a client of one of the node's people.
func (n *siegeNode) as(user string) (*benchNode, error) {
	api, err := client.New(n.Console, n.Tokens[user])
	return &benchNode{api: api}, err
}

// end ends the process. It returns an error if the process ended in another way.
func (n *siegeNode) end() error {
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return errors.Join(err, n.cmd.Wait())
	}
	return n.cmd.Wait()
}

// stop ends the process and removes what it kept.
func (n *siegeNode) stop() error { return errors.Join(n.end(), os.RemoveAll(n.dir)) }

// memoryPeak returns the most bytes that the process had resident.
func (n *siegeNode) memoryPeak() int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}
