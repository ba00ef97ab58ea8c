package node_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// ownProcess names the data directory of a node that this binary is to run,
// instead of tests; ownRestore the backup, or "latest" for the last snapshot, that
// it is to restore there, instead of running it.
const (
	ownProcess = "AGORA_TEST_NODE"
	ownRestore = "AGORA_TEST_RESTORE"
)

func runAlone(dir, restore string) (err error) {
	switch restore {
	case "":
		err = serveAlone(dir)
	case "latest":
		_, _, err = node.RestoreSnapshot(context.Background(), dir, restore)
	default:
		_, err = node.Restore(context.Background(), restore, dir)
	}
	return err
}

// introduction is what such a node says first.
type introduction struct {
	Addr, Console string
	Ada, Rex      string // tokens
}

// serveAlone is a node in a process of its own, until SIGTERM. At SIGUSR1 it makes
// a snapshot, and says a line when it has.
func serveAlone(dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	h, err := node.New(ctx, node.Options{
		DataDir: dir, Listen: "127.0.0.1:0", Audience: access.AudiencePublic, Worker: []string{os.Args[0]}, FlushEvery: 15 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	hello := introduction{Addr: h.Addr().String(), Console: h.ConsoleURL()}
	if hello.Ada, err = h.People.TokenFor(ctx, ada, "test", time.Hour, access.RoleDeveloper); err != nil {
		return err
	}
	if hello.Rex, err = h.People.TokenFor(ctx, rex, "test", time.Hour, access.RoleReviewer); err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(hello); err != nil {
		return err
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	go func() {
		for range asked {
			fmt.Println(h.Snapshot(ctx))
		}
	}()
	return h.Run(ctx)
}

// process is a node in a process of its own.
type process struct {
	introduction
	cmd  *exec.Cmd
	out  *bufio.Reader
	said *strings.Builder // its log; to be read once it has ended
	apps *http.Client     // sends whatever name it is asked for to this node
}

// command is to be started with startProcess.
func command(t *testing.T, dir string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), ownProcess+"="+dir)
	return cmd
}

// startProcess returns a node that serves.
func startProcess(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, said: &strings.Builder{}}
	cmd.Stderr = p.said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	line, err := p.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &p.introduction)
	}
	if err != nil {
		_ = cmd.Wait()
		t.Fatalf("the node did not start: %v\n%s", err, p.said)
	}
	p.apps = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", p.Addr)
	}}}
	t.Cleanup(p.apps.CloseIdleConnections)
	return p
}

func (p *process) as(t *testing.T, token string) *client.Client {
	t.Helper()
	c, err := client.New("http://"+p.Addr, token)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// snapshot has the node make one.
func (p *process) snapshot() error {
	if err := p.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	line, err := p.out.ReadString('\n')
	if err == nil && line != "<nil>\n" {
		err = errors.New(line)
	}
	return err
}

// post asks an app, and returns the whole of what it said.
func (p *process) post(ctx context.Context, app string, body []byte) (*http.Response, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.Replace(p.Console, "localhost", app+".localhost", 1)+"/", strings.NewReader(string(body)))
	if err != nil {
		return nil, nil, err
	}
	resp, err := p.apps.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	return resp, all, err
}
