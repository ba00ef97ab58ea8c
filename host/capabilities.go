package host

import (
	"context"
	"sync"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/capability/blob"
	"github.com/agora-host/agora/host/capability/config"
	"github.com/agora-host/agora/host/capability/events"
	"github.com/agora-host/agora/host/capability/fetch"
	"github.com/agora-host/agora/host/capability/kv"
	"github.com/agora-host/agora/host/capability/llm"
	"github.com/agora-host/agora/host/capability/log"
	"github.com/agora-host/agora/host/capability/secret"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/triggers"
)

// binder links a capability to a target as its parameters allow.
type binder func(t *target, p abi.Params) abi.Link

// capabilities makes every capability and says how it is bound.
func (h *Host) capabilities() map[string]binder {
	logs, keys := log.New(h.lines.log), kv.New(h.o.KV, h.log)
	blobs := blob.New(h.o.Blobs, h.log)
	revealed := secret.New(h.lines, h.log)
	fetches := fetch.New(fetch.Options{Allow: h.o.Egress, Secrets: h.lines, Tell: h.lines.tellFetch, Logger: h.log})
	models := llm.New(llm.Options{Config: h.o.Models, Ledger: spendLedger{h.o.Spent}, Tell: h.lines.tellLLM, Logger: h.log, Now: h.o.Now})
	h.closers = append(h.closers, fetches.Close, models.Close)
	published := events.New(publisher{func() *triggers.Dispatcher { return h.Triggers }, h.o.Room}, h.log)
	return map[string]binder{
		"blob": func(t *target, p abi.Params) abi.Link {
			return blobs.Bind(t.app.Name, kvQuota(p), t.tellKept("blob"))
		},
		"config":                func(t *target, _ abi.Params) abi.Link { return config.Bind(t.release.Manifest.Config) },
		abi.CapabilityEvents:    func(t *target, p abi.Params) abi.Link { return published.Bind(t.app.Name, p.List("topics")) },
		abi.CapabilitySubscribe: func(*target, abi.Params) abi.Link { return abi.Link{} }, // nothing of it is called
		"fetch": func(t *target, p abi.Params) abi.Link {
			return fetches.Bind(fetch.App{Name: t.app.Name, Release: t.release.Number}, p)
		},
		"kv": func(t *target, p abi.Params) abi.Link { return keys.Bind(t.app.Name, kvQuota(p), t.tellKept("kv")) },
		"llm": func(t *target, p abi.Params) abi.Link {
			return models.Bind(llm.App{Name: t.app.Name, Release: t.release.Number, Classification: t.release.Manifest.Classification}, p)
		},
		"log":    func(t *target, _ abi.Params) abi.Link { return logs.Bind(t.app.Name, t.release.Number) },
		"secret": func(t *target, p abi.Params) abi.Link { return revealed.Bind(t.app.Name, p.List("names")) },
	}
}

// kvQuota reads a quota. A grant without one stores nothing; one from before
// keys were counted allows as many as a manifest does that says nothing.
func kvQuota(p abi.Params) abi.KVQuota {
	return abi.KVQuota{Bytes: p.Number("quota", 0), Keys: p.Number("keys", registry.DefaultKeys)}
}

var recorders = sync.Pool{New: func() any { return new(abi.Recorder) }}

// recording runs a call and returns what it did with its capabilities, if it has any. While it runs,
// uses returns what it did so far.
func (t *target) recording(ctx context.Context, id string, run func(ctx context.Context, uses func() []abi.Use) error) ([]abi.Use, error) {
	if len(t.links) == 0 {
		return nil, run(ctx, func() []abi.Use { return nil })
	}
	r := recorders.Get().(*abi.Recorder)
	defer func() {
		r.Reset()
		recorders.Put(r)
	}()
	r.Begin(id)
	err := run(abi.WithRecorder(ctx, r), r.Uses)
	r.End()
	return r.Uses(), err
}
