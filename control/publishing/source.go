package publishing

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/source"
	"github.com/agora-host/agora/abi/static"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// Builder makes modules of scripts, apart from the node.
type Builder interface {
	// Build makes a module of one file. What is wrong with it is a *control.ScriptError; one that
	// takes too much to build is registry.ErrTooHeavy.
	Build(ctx context.Context, s control.Script) (control.Built, error)
	// Makes reports whether it puts this version of an engine beside scripts.
	Makes(version string) bool
}

// Build makes a module of a script, and stores nothing.
func (s *Service) Build(ctx context.Context, script control.Script) (built control.Built, err error) {
	if _, err := s.desk.May(ctx, access.CheckModule, access.TheNode); err != nil {
		return built, err
	}
	return s.builder.Build(ctx, script)
}

// build makes the module of an upload that has a script, with the capabilities that its manifest lists.
func (s *Service) build(ctx context.Context, u control.Upload, stage func(string)) (control.Module, error) {
	stage("building the script")
	m, err := readManifest(u.Manifest)
	if err != nil {
		return nil, err
	}
	script := *u.Script
	for word := range m.Capabilities {
		script.Capabilities = append(script.Capabilities, word)
	}
	slices.Sort(script.Capabilities)
	built, err := s.builder.Build(ctx, script)
	if err != nil {
		return nil, err
	}
	return s.Receive(ctx, bytes.NewReader(built.Module))
}

// compare makes a module of the file that a module carries, and reports whether it is the same; if it is
// another, the module carries a source that is not its own, and is refused. Code of packages is not
// among the files, and other versions of the engine are not here: such modules are not compared.
func (s *Service) compare(ctx context.Context, r registry.Release, module []byte) (same bool, err error) {
	if r.Made == nil {
		return false, nil
	}
	files := source.ReadFiles(module)
	if !s.builder.Makes(r.Made.Version) || r.Made.Packages || len(files) != 1 {
		return false, nil
	}
	i, err := registry.Inspect(module)
	if err != nil {
		return false, err
	}
	built, err := s.builder.Build(ctx, control.Script{Entry: r.Made.Entry, Code: []byte(files[0].Contents), Capabilities: i.Capabilities})
	if _, wrong := errors.AsType[*control.ScriptError](err); err != nil && !wrong {
		return false, err
	}
	bare, err := wasm.WithCustomSection(module, static.Section, nil) // which are put in when it is built
	if err != nil || bytes.Equal(bare, built.Module) {
		return err == nil, err
	}
	return false, &control.Refusal{Findings: []abi.Finding{{
		Code: "source.differs", Severity: abi.SeverityDeny, Path: "module",
		Message: "The module carries a source of which this node makes another module: what would run is not what would be shown.",
		Remedy:  abi.Remedy{Summary: "Deploy the script as it is, with the same version of agora.", Commands: []string{"agora deploy app.ts"}},
	}}}
}

// ReleaseSource reads what a release was made of: its owner, reviewers and operators may.
func (s *Service) ReleaseSource(ctx context.Context, app string, number int) (shown control.ReleaseSource, err error) {
	actor, err := s.desk.Door(ctx, access.ReadSource)
	if err != nil {
		return shown, err
	}
	var r registry.Release
	err = s.desk.View(ctx, func(tx state.Reader) error {
		a, err := tx.App(app)
		if err == nil {
			err = control.MayApp(actor, access.ReadSource, a)
		}
		if err == nil {
			r, err = tx.Release(app, number)
		}
		return err
	})
	if err != nil {
		return shown, err
	}
	module, err := s.blobs.Get(ctx, r.Digest)
	if err != nil {
		return shown, err
	}
	made, ok := source.ReadOrigin(module)
	files := source.ReadFiles(module)
	if !ok || len(files) == 0 {
		return shown, registry.ErrNoSource
	}
	return control.ReleaseSource{Made: made, Outdated: !s.builder.Makes(made.Version), Rebuilt: r.Rebuilt, Files: files}, nil
}
