package host

import (
	"container/list"
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/static"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
)

// siteBudget bounds the files in memory, in bytes. What was put out is read, and
// its signature checked, again.
const siteBudget = 256 << 20

// sites keeps the files of the releases that were asked for last.
type sites struct {
	watch *calm.Watch

	mu    sync.Mutex // guards all below; never held while a module is read
	byKey map[string]*list.Element
	order *list.List // of *site, most recently used first
	size  int64
}

type site struct {
	key     string
	signer  registry.Signer
	once    sync.Once
	archive *static.Archive
	err     error
	counted int64 // of its size, guarded by the sites' lock: a drop may come in the middle of a load
}

func (s *sites) use(r *registry.Release, load func() (*static.Archive, error)) (*static.Archive, error) {
	e := s.enter(r)
	found := e.Value.(*site)
	found.once.Do(func() {
		// A load that panics has failed: once holds it for done.
		found.err = errLoadBroke
		defer func() { s.loaded(e, found) }()
		found.err = s.watch.Do("site-load", func() (err error) {
			found.archive, err = load()
			return err
		})
	})
	return found.archive, found.err
}

func (s *sites) enter(r *registry.Release) *list.Element {
	// What was verified are these bytes with this signature: the same files that another person
	// signed, too, are verified apart.
	key := string(r.Digest + "\x00" + r.Bundle)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.order == nil {
		s.byKey, s.order = map[string]*list.Element{}, list.New()
	}
	e := s.byKey[key]
	if e == nil {
		e = s.order.PushFront(&site{key: key, signer: r.Signer})
		s.byKey[key] = e
	}
	s.order.MoveToFront(e)
	return e
}

func (s *sites) loaded(e *list.Element, found *site) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found.err != nil {
		s.forget(e) // a failure is not kept: the next request tries again
		return
	}
	if s.byKey[found.key] != e {
		return // dropped meanwhile
	}
	found.counted = found.archive.Size()
	s.size += found.counted
	for s.size > siteBudget && s.order.Len() > 1 {
		s.forget(s.order.Back())
	}
}

func (s *sites) forget(e *list.Element) {
	old := e.Value.(*site)
	if s.byKey[old.key] != e {
		return
	}
	s.order.Remove(e)
	delete(s.byKey, old.key)
	s.size -= old.counted
}

// drop forgets the files of some signers, so that their releases are verified again.
func (s *sites) drop(of func(registry.Signer) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.byKey {
		if of(e.Value.(*site).signer) {
			s.forget(e)
		}
	}
}

// Program returns a module without its files: what is compiled and run.
func Program(module []byte) ([]byte, error) {
	return wasm.WithCustomSection(module, static.Section, nil)
}

// ServeFile responds with a file of the release, if it has one of that path. It is
// a call like any other, of no instructions.
func (t *target) ServeFile(w http.ResponseWriter, r *http.Request, id string) (bool, error) {
	m := t.release.Manifest.Static
	if m == nil || t.hook(r.URL.Path) != nil { // no page stands in for a webhook
		return false, nil
	}
	archive, err := t.host.sites.use(&t.release, func() (*static.Archive, error) {
		module, err := t.host.o.Module(context.WithoutCancel(r.Context()), t.release)
		if err != nil {
			return nil, err
		}
		return registry.FilesOf(module)
	})
	if err != nil {
		return true, err
	}
	s := gateway.Site{Archive: archive, Fallback: m.Fallback, Cache: time.Duration(m.Cache), App: m.App}
	f, redirect := s.Find(r)
	if f == nil && redirect == "" {
		return false, nil
	}
	if err := t.host.o.Meter.Ready(); err != nil {
		return true, err
	}
	out := &settled{ResponseWriter: w, t: t, id: id, head: r.Method == http.MethodHead}
	if redirect != "" {
		http.Redirect(out, r, redirect, http.StatusMovedPermanently)
	} else {
		s.Serve(out, r, f)
	}
	if out.err != nil {
		clearHeader(w.Header())
	}
	return true, out.err
}

// clearHeader takes back what a response said about a file that is not sent.
func clearHeader(h http.Header) {
	for _, name := range []string{"Content-Type", "Content-Length", "Content-Encoding", "Content-Range", "Accept-Ranges", "Etag", "Cache-Control", "Vary", "Location"} {
		h.Del(name)
	}
}

// settled journals a file's response before the first byte of it leaves.
type settled struct {
	http.ResponseWriter
	t    *target
	id   string
	head bool
	done bool
	err  error // of the journal: nothing was written
}

func (s *settled) WriteHeader(status int) {
	if s.done {
		return
	}
	s.done = true
	if status == http.StatusPreconditionFailed {
		s.Header().Del("Content-Length")
		s.Header().Del("Content-Encoding")
	}
	var n int64
	if !s.head && status != http.StatusNotModified {
		n, _ = strconv.ParseInt(s.Header().Get("Content-Length"), 10, 64)
	}
	bill := bill{target: s.t, id: s.id, trigger: metering.TriggerHTTP, frame: &abi.Request{}}
	if s.err = bill.settle(engine.Result{BodyBytes: n}, nil, nil); s.err == nil {
		s.ResponseWriter.WriteHeader(status)
	}
}

func (s *settled) Write(p []byte) (int, error) {
	s.WriteHeader(http.StatusOK)
	if s.err != nil {
		return 0, s.err
	}
	return s.ResponseWriter.Write(p)
}
