package engine

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/metering/fuel"
)

// The compiler is complex, and was wrong before (see mend). So before a module
// is taken in, it serves one request in compiled code and one in the interpreter,
// which is simple: what it answers, how it fails and what it costs must be the
// same. That costs 20 ms to 0.3 s, and 1.5 s for a program that works long, once for each module.

// How much of start-up and of the request is run. Both stop at the same instruction, so what is
// longer is compared as far as it goes. Start-up has an allowance of its own, so that the request is
// reached: an interpreter takes some 30 million units until it is asked. A command starts up and
// serves in one.
const (
	rehearsalStart = 100_000_000
	rehearsalFuel  = 5_000_000
	rehearsalTime  = 5 * time.Second // of each run
)

// rehearse serves the request "GET /" once and answers all that can be seen of it. Start-up, or all
// that a command does, may take so much.
func (j job) rehearse(ctx context.Context, runtime wazero.Runtime, compiled wazero.CompiledModule, start uint64) (seen, error) {
	exports := compiled.ExportedFunctions()
	iface := abi.InterfaceV1
	switch {
	case exports[fuel.ExportServe] != nil:
	case exports[abi.ExportStart] != nil:
		iface = abi.InterfaceWASI
	default:
		return seen{}, nil // it serves nothing
	}
	most := uint64(rehearsalFuel)
	if iface == abi.InterfaceWASI {
		most = start
	}
	pages := uint32(1)
	for _, m := range compiled.ExportedMemories() {
		pages, _ = m.Max()
	}
	p := newProgram(runtime, compiled, iface, Limits{
		Fuel: most, StartFuel: start, Table: j.table, Memory: int64(pages) * pageSize, Timeout: rehearsalTime, RequestBody: 1 << 20, ResponseBody: 1 << 20, Concurrency: 1,
	})
	p.pool.data = j.data
	var imports []string
	for _, f := range compiled.ImportedFunctions() {
		if from, _, _ := f.Import(); !slices.Contains(imports, from) {
			imports = append(imports, from)
		}
	}
	if err := p.link(imports); err != nil {
		return seen{}, err
	}
	links := map[string]abi.Link{}
	for _, c := range p.needs {
		links[c.Name] = unavailable(c)
	}
	r, err := p.Invoke(ctx, Call{
		Request: &abi.Request{Method: "GET", Path: "/", Host: "rehearsal.invalid"}, Links: links, rehearsal: true,
	})
	return seen{fault: abi.FaultKind(err), startUp: r.startUp, instructions: r.Instructions, pages: r.MemoryPeak / pageSize, response: r.Response}, p.pool.end(ctx)
}

// seen is what can be seen of a request from outside.
type seen struct {
	fault        string
	startUp      uint64 // instructions
	instructions uint64
	pages        int64
	response     abi.Response
}

// differsFrom says in what; "" for nothing. A deadline is no property of the
// program, nor is what this process has no memory for, and the interpreter has room
// for fewer open calls.
func (s seen) differsFrom(o seen) string {
	elsewhere := []string{abi.FaultKind(abi.ErrDeadlineExceeded), abi.FaultKind(abi.ErrStackExhausted), abi.FaultKind(errNode)}
	switch {
	case slices.Contains(elsewhere, s.fault), slices.Contains(elsewhere, o.fault):
	case s.fault != o.fault:
		return fmt.Sprintf("it ends with %q and with %q", s.fault, o.fault)
	case s.startUp != o.startUp:
		return fmt.Sprintf("it takes %d and %d instructions to start", s.startUp, o.startUp)
	case s.instructions != o.instructions:
		return fmt.Sprintf("it takes %d and %d instructions", s.instructions, o.instructions)
	case s.pages != o.pages:
		return fmt.Sprintf("it uses %d and %d pages of memory", s.pages, o.pages)
	case s.response.Status != o.response.Status || !slices.Equal(s.response.Header, o.response.Header) || !bytes.Equal(s.response.Body, o.response.Body):
		return fmt.Sprintf("it answers %d bytes with status %d and %d other bytes with status %d", len(s.response.Body), s.response.Status, len(o.response.Body), o.response.Status)
	}
	return ""
}

// disagreement runs the rehearsal of what was compiled both ways. compiled belongs to runtime. What
// does not start within the allowance, or not in time in the interpreter, is compared as far as a
// request is.
func (j job) disagreement(ctx context.Context, runtime wazero.Runtime, compiled wazero.CompiledModule) (string, error) {
	if err := offer(ctx, runtime); err != nil {
		return "", err
	}
	interpreter := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2))
	defer interpreter.Close(ctx)
	if err := offer(ctx, interpreter); err != nil {
		return "", err
	}
	interpreted, err := interpreter.CompileModule(ctx, j.compiled)
	if err != nil {
		return "", err
	}
	fast, err := j.rehearse(ctx, runtime, compiled, rehearsalStart)
	if err != nil {
		return "", err
	}
	if max(fast.startUp, fast.instructions) < rehearsalStart {
		slow, err := j.rehearse(ctx, interpreter, interpreted, rehearsalStart)
		if err != nil || slow.fault != abi.FaultKind(abi.ErrDeadlineExceeded) {
			return fast.differsFrom(slow), err
		}
	}
	if fast, err = j.rehearse(ctx, runtime, compiled, rehearsalFuel); err != nil {
		return "", err
	}
	slow, err := j.rehearse(ctx, interpreter, interpreted, rehearsalFuel)
	if err != nil {
		return "", err
	}
	return fast.differsFrom(slow), nil
}

// moments is where a guest's time and randomness come from. In a rehearsal both
// are the same each time, so that two runs can be compared.
type moments struct {
	rehearsal bool
	ticks     time.Duration
	source    *mathrand.ChaCha8
}

// epoch is the zero of the monotonic clock that guests see.
var epoch = time.Now()

var rehearsalEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// now answers the time of day, and the time since the epoch.
func (m *moments) now() (wall time.Time, monotonic time.Duration) {
	if !m.rehearsal {
		now := time.Now()
		return now, now.Sub(epoch)
	}
	m.ticks += time.Microsecond
	return rehearsalEpoch.Add(m.ticks), m.ticks
}

func (m *moments) random(b []byte) {
	if !m.rehearsal {
		rand.Read(b)
		return
	}
	if m.source == nil {
		m.source = mathrand.NewChaCha8([32]byte{})
	}
	m.source.Read(b)
}
