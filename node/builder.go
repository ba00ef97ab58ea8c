package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/script"
	"github.com/agora-host/agora/script/isolate"
	"github.com/agora-host/agora/script/languages"
)

// buildTime bounds a build on the wall clock. A script of 5 MiB takes some seconds.
const buildTime = 30 * time.Second

// builder makes modules of scripts, each in a child process.
type builder struct {
	isolate.Builder
	engines control.Engines
}

func newBuilder(worker []string, engines control.Engines) (*builder, error) {
	b := &builder{isolate.Builder{Worker: worker, Time: buildTime}, engines}
	if engines != nil {
		return b, nil
	}
	known, err := languages.Versions()
	for _, k := range known {
		b.engines = append(b.engines, control.EngineVersion(k))
	}
	return b, err
}

func (b *builder) Makes(version string) bool { return b.engines.Makes(version) }

func (b *builder) Build(ctx context.Context, s control.Script) (none control.Built, err error) {
	made, spent, err := b.Builder.Build(ctx, s.Entry, s.Code, slices.Compact(slices.Sorted(slices.Values(s.Capabilities))))
	if spent > 0 {
		abi.Note(ctx, abi.Use{Capability: "compile", Meter: abi.MeterCPU, N: uint64((spent + time.Millisecond - 1) / time.Millisecond)})
	}
	if wrong, ok := errors.AsType[*script.Error](err); ok {
		return none, &control.ScriptError{Findings: findings(wrong.Diagnostics, abi.SeverityDeny)}
	}
	if errors.Is(err, isolate.ErrTooHeavy) {
		return none, fmt.Errorf("%w: %w", registry.ErrTooHeavy, err)
	}
	if err != nil {
		return none, err
	}
	return control.Built{
		Module: made.Module, Digest: registry.DigestOf(made.Module), Size: int64(len(made.Module)), Made: made.Info,
		Findings: findings(made.Warnings, abi.SeverityInfo),
	}, nil
}

func findings(all []script.Diagnostic, severity abi.Severity) (found []abi.Finding) {
	for _, d := range all {
		found = append(found, d.Finding(severity))
	}
	return found
}
