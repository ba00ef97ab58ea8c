package node

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

// Options configure a node. The zero value of a field means its default.
type Options struct {
	// DataDir holds everything the node keeps. Required. One process at a time.
	DataDir string
	// Listen is the TCP address of the front doors. Default "127.0.0.1:8080".
	Listen string
	// ConsoleURL is where people find console and API: its host is that origin.
	// Default "http://localhost:PORT" with the port that is listened on.
	ConsoleURL string
	// AppsDomain is the domain below which each app has its host, with a port
	// if it is not the scheme's own. Default "localhost:PORT". It must be neither
	// the console's host nor above it: apps and console never share an origin.
	AppsDomain string
	// PolicyDir holds rules that replace or extend the embedded ones. Default none.
	PolicyDir string
	// Worker is the command line of the children that work on what makers send, but for its last
	// word: "compile-worker" (engine.CompileWorker) or "build-worker" (isolate.Worker). Default:
	// this executable.
	Worker []string
	// MaxModule is the largest module taken in, in bytes. Default 64 MiB.
	MaxModule int64
	// Memory is how many bytes the node may use in all. Default: what the machine has, or the limit
	// of its cgroup. Half of it is for guests, a quarter for Go; see docs/hardening.md.
	Memory int64
	// Quotas are limits other than the defaults on what people, apps and the node keep, by
	// name; control.QuotaNames lists them.
	Quotas control.Quotas
	// KeepReleases is how many of an app's newest releases are kept, beside those that
	// serve, are waited for, or served pilot or production lately. Default 50; negative: all.
	KeepReleases int
	// DeleteAfter is how long the deletion of an app can be undone. Then the app is removed with
	// all that it kept. Default 30 days; negative: at once.
	DeleteAfter time.Duration
	// DiskReserve is how much of the disk is kept free, in bytes: below it no uploads, and
	// nothing else new, are taken in. Default a twentieth of the disk, from 1 to 20 GiB.
	DiskReserve int64
	// EgressAllow are networks that apps may reach although they are not public,
	// as in "10.20.0.0/16". Default none. Whoever is in there must expect requests
	// of apps; which app may ask whom is still for its grant to say.
	EgressAllow []string
	// LLM is a file that says which language models apps may be granted, see
	// docs/llm.md. Default none.
	LLM string
	// SignIn is a file that says at which providers people sign in, and which roles their groups
	// give, see docs/sign-in.md. It is read again when it changes. Default none: people sign in with links alone.
	SignIn string
	// Notices is a file that says through which mail server and to which webhooks notices leave the
	// node, see docs/notices.md. Default none: they are in the inbox of the console alone.
	Notices string
	// Sessions say how long sessions of the console last: unused, default 8 hours, and in any case,
	// default 7 days. Sessions at apps' addresses end with them, and after 24 hours.
	Sessions access.Lives
	// FreshSignIn is how long ago a person may have signed in who decides about requests or changes who may
	// do what, in a session; 0: as long ago as the session lasts. `agora serve` has FreshWithProviders.
	FreshSignIn time.Duration
	// PauseTriggers keeps every trigger of the node from being delivered to: what is due, and
	// what comes, waits in the queue. For a node that does not survive what waits there.
	PauseTriggers bool
	// Connections is how many connections the node takes. Default: what fits into the file
	// descriptors that the process may have, less a quarter and at least 64 for the node's own
	// files, and into a quarter of the memory, at 64 KiB each; at most 16,384. More than the
	// descriptors allow is an error.
	Connections int
	// ConnectionsPerAddress is how many of them one address may have (IPv6: one /64).
	// Default: a quarter. Proxies in TrustedProxies have as many as they like.
	ConnectionsPerAddress int
	// TrustedProxies are the networks of the proxies in front, as in "127.0.0.1/32". Of a
	// request that comes from there, the last address in X-Forwarded-For (or, without that, in
	// Forwarded) that is not in there is the client's, and apps are given it; so is the scheme
	// beside it in X-Forwarded-Proto. Default none, also not loopback: any program on the machine
	// could name any address.
	TrustedProxies []string
	// ProxyProtocol has each connection from TrustedProxies begin with a header of the proxy
	// protocol, version 1 or 2, which names its client. From elsewhere none is taken.
	ProxyProtocol bool
	// TLSCert and TLSKey are files with certificates, each with those that issued it, and their keys,
	// in PEM and in the same order. The node then speaks TLS at Listen, HTTP/2 beside HTTP/1.1. They
	// are read again when they change. Default none: the node speaks HTTP/1.1 without TLS.
	TLSCert, TLSKey []string
	// ACMEDirectory is the URL of a directory (RFC 8555) that certificates are ordered from: for the
	// console's name, and for each app's own when a client first asks for it. To name it is to accept
	// its terms of service. ACMEEmail is for the account there. Default none.
	ACMEDirectory, ACMEEmail string
	// ListenHTTP is a second address, which sends people on to HTTPS. Default none.
	ListenHTTP string
	// HSTS is the Strict-Transport-Security header of a node that speaks TLS; "off" for none. It is
	// never sent for localhost or an address. Default "max-age=2592000", which is 30 days.
	HSTS string
	// Audience is who may open an app for which no audience was set: "owner", "people",
	// "organisation" or "public". Default: in sandbox and pilot its owner, in production whoever is
	// signed in. For nodes whose apps are reached without a sign-in.
	Audience access.AudienceKind
	// BodyMemory is how many bytes of requests' bodies are held at once, and ResponseMemory how
	// many of responses that their clients have not read. One address may hold half.
	// Default: a 32nd of the memory, from 32 to 128 MiB.
	BodyMemory     int64
	ResponseMemory int64
	// LeastRate is how many bytes a second a client has to send of a body, and to read of a
	// response, while the node waits for it. Default 4096.
	LeastRate int64
	// Demo marks a node that was started by `agora up`.
	Demo bool
	// FlushEvery is how often counted usage is brought to the store. What is counted
	// is in the journal before. Default 10 s.
	FlushEvery time.Duration
	// Environment tags all usage of this node. Default: the tier in which it was.
	Environment string
	// Version is shown to people.
	Version string
	// grace is graceOfRate, except in tests.
	grace time.Duration
	// Logger receives the node's own log. Default slog.Default().
	Logger *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time

	acmeHTTP     *http.Client                  // of tests: asks the directory
	gather       time.Duration                 // of tests: see inbox.Options
	lookAtSignIn time.Duration                 // of tests: how often the sign-in file is looked at
	engines      control.Engines               // of tests: the versions of the engine that are known
	programs     int64                         // of tests: see host.Options
	inject       func(where string)            // of tests: see calm.Watch.Inject
	wrap         func(state.Store) state.Store // of tests: see package statetest
}

func (o Options) wrapped(s state.Store) state.Store {
	if o.wrap == nil {
		return s
	}
	return o.wrap(s)
}

// leastMemory is less than what a node needs that serves anything.
const leastMemory = 128 << 20

func (o Options) withDefaults() (Options, error) {
	if o.DataDir == "" {
		return o, errors.New("no data directory: say where the node keeps its data with --data")
	}
	// Children of the node are told where to write, and are confined to that: what they are told has
	// to mean the same to each of them.
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return o, fmt.Errorf("find the data directory: %w", err)
	}
	o.DataDir = dir
	if o.Listen == "" {
		o.Listen = "127.0.0.1:8080"
	}
	if o.MaxModule == 0 {
		o.MaxModule = 64 << 20
	}
	if o.Memory == 0 {
		o.Memory = machineMemory()
	}
	if o.Audience != "" && !slices.Contains(access.AudienceKinds(), o.Audience) {
		return o, fmt.Errorf("there is no audience %q: write owner, people, organisation or public", o.Audience)
	}
	if o.Memory < leastMemory {
		return o, fmt.Errorf("%d bytes of memory are too little for a node: give it at least %d MiB with --memory, or by the limit of its cgroup", o.Memory, leastMemory>>20)
	}
	o.Sessions = o.Sessions.Or()
	if err := errors.Join(o.Quotas.Check(), o.checkTLS(), o.Sessions.Check(), o.checkFresh()); err != nil {
		return o, err
	}
	if o.DiskReserve < 0 {
		return o, errors.New("the reserve of the disk cannot be negative")
	}
	if o.KeepReleases == 0 {
		o.KeepReleases = 50
	}
	if o.DeleteAfter == 0 {
		o.DeleteAfter = 30 * 24 * time.Hour
	}
	o.DeleteAfter = max(0, o.DeleteAfter)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Version == "" {
		o.Version = "development"
	}
	if len(o.Worker) == 0 {
		exe, err := os.Executable()
		if err != nil {
			return o, fmt.Errorf("find this executable, which compiles modules in a child process: %w", err)
		}
		o.Worker = []string{exe}
	}
	return o, nil
}

// worker is the command line of a child.
func (o Options) worker(kind string) []string { return append(slices.Clip(o.Worker), kind) }
