package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/agora-host/agora/javascript"
)

// workerdVersion is what npm is asked for: workerd, the JavaScript host of Cloudflare's Workers, on V8.
const workerdVersion = "1.20261117.1"

// benchWorkerd asks Agora and workerd in turns, with the same clients, for the same scripts. Agora gives each
// request the state after start-up; workerd does so if a script is loaded anew for each request, which its
// worker loader can, and is asked as it is most often used, too: one isolate that keeps what requests leave.
func benchWorkerd(ctx context.Context, span time.Duration, program string) error {
	dir, err := os.MkdirTemp("", "agora-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if program == "" {
		npm, err := exec.LookPath("npm")
		if err != nil {
			fmt.Println("\nBeside workerd: left out, because npm, which fetches it, is not installed; -workerd FILE names a copy")
			return nil
		}
		if program, err = fetchWorkerd(ctx, npm, dir); err != nil {
			return err
		}
	}
	n, err := startNode(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = n.close(ctx) }()
	fmt.Printf("\nHTTP beside workerd %s in %d processes: %d connections, kept alive, %s each in %d turns; clients and servers share the CPUs\n", workerdVersion, runtime.NumCPU(), clients, span, turns)
	fmt.Println("The ratio is that of Agora's requests a second to the other's, within one turn.")
	fmt.Println("\n| script | server | requests/s | ratio, lowest | median | highest | p50 | p99 |")
	fmt.Println("|---|---|---:|---:|---:|---:|---:|---:|")
	for i, script := range scripts {
		if err := besideWorkerd(ctx, n, program, filepath.Join(dir, fmt.Sprint(i)), script.title, script.source, span); err != nil {
			return fmt.Errorf("%s: %w", script.title, err)
		}
	}
	return nil
}

// fetchWorkerd installs workerd into a directory and returns its program. No script of a package is run.
func fetchWorkerd(ctx context.Context, npm, dir string) (string, error) {
	cmd := exec.CommandContext(ctx, npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir, "workerd@"+workerdVersion)
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm install workerd@%s: %w\n%s", workerdVersion, err, said)
	}
	found, err := filepath.Glob(filepath.Join(dir, "node_modules", "@cloudflare", "workerd-*", "bin", "workerd"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("the package workerd@%s has no program for %s/%s", workerdVersion, runtime.GOOS, runtime.GOARCH)
	}
	return found[0], nil
}

// besideWorkerd measures one script on each server, and writes its lines of the table.
func besideWorkerd(ctx context.Context, n *benchNode, program, dir, title, source string, span time.Duration) error {
	ours, err := n.script(ctx, filepath.Base(dir), source)
	if err != nil {
		return err
	}
	theirs, stop, err := startWorkerd(ctx, program, dir, source)
	if err != nil {
		return err
	}
	defer stop()
	servers := append([]*server{ours}, theirs...)
	if ours.want, err = ours.once(); err != nil {
		return err
	}
	for _, s := range theirs {
		s.want = ours.want
		if err := s.check(); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for range turns {
		for _, s := range servers {
			if err := s.turn(span / turns); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	for _, s := range servers {
		slices.Sort(s.times)
		var ratios []float64
		for i, rate := range s.rates {
			ratios = append(ratios, ours.rates[i]/rate)
		}
		fmt.Printf("| %s | %s | %.0f | %.2f | %.2f | %.2f | %s | %s |\n", title, s.name, median(s.rates), slices.Min(ratios), median(ratios), slices.Max(ratios),
			s.times[len(s.times)/2].Round(time.Microsecond), s.times[len(s.times)*99/100].Round(time.Microsecond))
	}
	return nil
}

// script publishes a script on the node.
func (n *benchNode) script(ctx context.Context, name, source string) (*server, error) {
	built, err := javascript.Build(ctx, javascript.Source{Entry: "app.ts", Code: []byte(source), Capabilities: []string{"config", "log"}})
	if err != nil {
		return nil, err
	}
	host, err := n.publish(ctx, "script-"+name+"-hello", built.Module)
	return &server{name: "agora, fresh state for each request", addr: n.Addr().String(), host: host, path: "/"}, err
}

// workerdFiles are the configuration: a service that keeps the script's isolate, and one that loads the script
// anew for each request. Neither reaches the network.
var workerdFiles = map[string]string{
	"config.capnp": `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [ (name = "kept", worker = .kept), (name = "fresh", worker = .fresh), (name = "internet", network = (allow = [])) ],
  sockets = [ (name = "kept", http = (), service = "kept"), (name = "fresh", http = (), service = "fresh") ],
);
const kept :Workerd.Worker = (modules = [ (name = "app.js", esModule = embed "app.js") ], compatibilityDate = "2025-11-01");
const fresh :Workerd.Worker = (
  modules = [ (name = "fresh.js", esModule = embed "fresh.js"), (name = "app", text = embed "app.js") ],
  compatibilityDate = "2025-11-01",
  bindings = [ (name = "LOADER", workerLoader = ()) ],
);
`,
	"fresh.js": `import app from "app";
const code = { compatibilityDate: "2025-11-01", mainModule: "app.js", modules: { "app.js": app }, globalOutbound: null };
export default { fetch(request, env) { return env.LOADER.get(null, () => code).getEntrypoint().fetch(request) } };
`,
}

// startWorkerd starts as many processes as there are CPUs, since each serves on one thread, and gives all of
// them the same two sockets.
func startWorkerd(ctx context.Context, program, dir, source string) (all []*server, stop func(), err error) {
	plain := api.Transform(source, api.TransformOptions{Loader: api.LoaderTS, Target: api.ES2023})
	if len(plain.Errors) > 0 {
		return nil, nil, errors.New(plain.Errors[0].Text)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, nil, err
	}
	files := map[string]string{"app.js": string(plain.Code)}
	for name, text := range workerdFiles {
		files[name] = text
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, nil, err
		}
	}
	var sockets []*os.File
	for _, name := range []string{"workerd, one isolate that is kept", "workerd, a new isolate for each request"} {
		l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return nil, nil, err
		}
		defer l.Close() // the processes have it
		file, err := l.File()
		if err != nil {
			return nil, nil, err
		}
		defer file.Close()
		sockets = append(sockets, file)
		all = append(all, &server{name: name, addr: l.Addr().String(), host: l.Addr().String(), path: "/"})
	}
	ctx, cancel := context.WithCancel(ctx)
	var ended []<-chan error
	stop = func() {
		cancel()
		for _, e := range ended {
			<-e
		}
	}
	var said bytes.Buffer
	for i := range runtime.NumCPU() {
		cmd := exec.CommandContext(ctx, program, "serve", "config.capnp", "--experimental", "--socket-fd=kept=3", "--socket-fd=fresh=4")
		cmd.Dir, cmd.ExtraFiles = dir, sockets
		if i == 0 { // what they have to say they say alike
			cmd.Stdout, cmd.Stderr = &said, &said
		}
		if err := cmd.Start(); err != nil {
			stop()
			return nil, nil, err
		}
		end := make(chan error, 1)
		ended = append(ended, end)
		go func() { end <- cmd.Wait() }()
	}
	ready := make(chan error, 1)
	go func() { // whose connection waits until one of them takes it
		_, err := all[0].once()
		ready <- err
	}()
	select {
	case err = <-ready:
	case err = <-ended[0]:
		ended = ended[1:]
		err = fmt.Errorf("it ended: %w\n%s", err, strings.TrimSpace(said.String()))
	}
	if err != nil {
		stop()
		return nil, nil, fmt.Errorf("workerd: %w", err)
	}
	return all, stop, nil
}
