package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/engine/turns"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/metering/fuel"
)

// Call is one invocation.
type Call struct {
	ID      string
	Request *abi.Request
	// Links are the capabilities that are granted, by word.
	Links map[string]abi.Link
	// Stream takes an answer that the app sends piece by piece. If it is nil, the
	// pieces are collected into Result.Response.
	Stream abi.Stream
	// Checkpoint, if not nil, is told what a call amounts to whose answer goes to
	// Stream: before its first byte, and then again and again. See checkpoint.go.
	Checkpoint func(Result) error
	// Room, if not nil, is asked before more of a response is held in memory.
	Room Room
	// Stderr, if not nil, is told each line the guest writes to standard error.
	Stderr func(line string)
	// Weight is how much of its owner's share of the processors the call gets beside others,
	// at least 1.
	Weight int

	rehearsal bool   // see rehearsal.go
	trial     *Trial // see trial.go; nil for none
}

// Room counts the bytes of responses that are held in memory until a client has read them.
type Room interface {
	// Hold counts n bytes more, or returns why they cannot be held.
	Hold(n int64) error
}

// Result is what an invocation did. It is filled also when it failed.
type Result struct {
	Response     abi.Response  // without its body, if that went to Call.Stream
	BodyBytes    int64         // of the response, wherever it went
	Instructions uint64        // by fuel's cost table; the limit itself when it was exhausted
	Guest        time.Duration // wall time of the guest's own work, start-up included only if the request pays for it
	Host         time.Duration // wall time of its host calls that may have to wait
	MemoryPeak   int64         // bytes of linear memory
	startUp      uint64        // instructions; told in a rehearsal, and of a start-up that failed
	FaultDetail  string        // for the app's developer: in which functions, and lines, it trapped
}

// invocation is the state of one call. The instance's goroutine owns it.
//
// It is the context of the guest's calls, too: what is not its own is the caller's.
type invocation struct {
	context.Context
	call     Call
	limits   *Limits
	deadline time.Time
	began    time.Time // the work that the request is billed for: an instance is there
	in       *instance
	fuel     allowance
	startUp  uint64    // units that start-up took, if they are not the request's
	ready    *instance // that waited for a request; run takes it
	reserved int64     // bytes of memory for a new instance, until it is made
	stop     error     // why the host stopped the guest
	watch    *calm.Watch
	turn     turns.Turn
	waited   time.Duration // for a turn, since began
	cgi      bool          // standard output is the response

	init beginning

	host    hostTime
	calls   int          // of capabilities, so far
	calling *hostContext // for the next of them; nil: to be made
	links   links        // what they lead to

	checkpoints checkpoints

	streams   bool // the answer goes out piece by piece
	status    int  // of that answer
	sent      int64
	collected abi.Response // of it, if nobody takes pieces
	holds     holding

	moments moments
	kept    kept
	descriptors

	stdin       []byte
	stdout      []byte
	headersSeen bool // on stdout
	stderr      lineWriter
	exitCode    uint32
	exited      bool
}

type invocationKey struct{}

func (v *invocation) Value(key any) any {
	if key == (invocationKey{}) {
		return v
	}
	return v.Context.Value(key)
}

func of(ctx context.Context) *invocation {
	if v, ok := ctx.(*invocation); ok {
		return v
	}
	return ctx.Value(invocationKey{}).(*invocation)
}

// halt ends the guest from inside a host function.
func (v *invocation) halt(err error) {
	if v.stop == nil {
		v.stop = err
	}
	panic(errHalted)
}

var errHalted = errors.New("halted by the host")

// alive halts a guest whose time is up or whose caller left. It answers the time.
func (v *invocation) alive() time.Time {
	if err := v.Err(); err != nil {
		v.halt(abi.ErrCanceled)
	}
	at := now()
	if at.After(v.deadline) {
		v.halt(v.tooLate(v.deadline))
	}
	return at
}

// refuel grants the next slice, or halts. left is below zero: what it lacks has
// been charged already, and is granted on top. Or it is not, between two pieces of a large
// instruction; then the guest has what it needs, and its slice is measured from here.
func (v *invocation) refuel(left int64) int64 {
	if left >= 0 {
		v.fuel.sliced = v.yield(v.alive())
		return left
	}
	now := v.began
	if v.fuel.granted > 0 {
		now = v.alive()
		v.fuel.adapt(now)
		now = v.yield(now)
	} else if v.Err() != nil { // nothing has run: the clock was looked at just now
		v.halt(abi.ErrCanceled)
	}
	v.fuel.sliced = now
	used := v.within(left)
	if v.checkpoints.due(now, used) {
		v.whileHost(func() { v.checkpoint(now, used) })
	}
	return v.fuel.grant(left, v.checkpoints.left(used))
}

// yield lets another call run whose turn comes first, and returns the time after that.
func (v *invocation) yield(now time.Time) time.Time {
	waited, err := v.turn.Yield(v, v.deadline)
	if !waited {
		return now
	}
	return v.resumed(now, err)
}

// resumed notes that a wait for a turn, which began at a time, is over, or halts.
func (v *invocation) resumed(since time.Time, err error) time.Time {
	at := v.alive()
	v.waited += at.Sub(since)
	if err != nil {
		v.halt(v.tooLate(v.deadline))
	}
	return at
}

// within returns what a guest with so much left has spent, and halts it if that is too much.
func (v *invocation) within(left int64) uint64 {
	used := v.fuel.used(left)
	if used > v.fuel.limit() {
		v.halt(v.exhausted())
	}
	return used
}

// charge takes units for work that the node is about to do, or halts the guest instead. They
// come from the guest's own counter, as instructions do: it asks again at the same unit whoever
// has spent the others. The guest reads its counter anew after each call.
func (v *invocation) charge(units uint64) {
	if !v.limits.Table.ChargesHost() {
		return
	}
	left := int64(v.in.fuel.Get()) - int64(units)
	v.in.fuel.Set(uint64(left))
	v.within(left)
}

func exportRefuel(b wazero.HostModuleBuilder) {
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, _ api.Module, stack []uint64) {
		stack[0] = uint64(of(ctx).refuel(int64(stack[0])))
	}), []api.ValueType{api.ValueTypeI64}, []api.ValueType{api.ValueTypeI64}).Export(fuel.ImportRefuel)
}

// Place is one of a program's places for calls (Limits.Concurrency). It is taken before the
// request's body is read, so that calls that an app has no place for hold nothing.
type Place struct{ p *Program }

// Enter takes a place for a call with these capabilities, by word. It returns abi.ErrBusy if
// all are taken.
func (p *Program) Enter(links map[string]abi.Link) (Place, error) {
	for _, c := range p.needs {
		if links[c.Name] == nil {
			return Place{}, fmt.Errorf("%w: it imports %s, and %s is not granted", abi.ErrNotGranted, c.Module, c.Name)
		}
	}
	if most := p.startFuel(); p.initCost > most {
		return Place{}, fmt.Errorf("%w of %d: initialising it alone takes %d", abi.ErrFuelExhausted, most, p.initCost)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return Place{}, fmt.Errorf("%w: it is being replaced", abi.ErrBusy)
	}
	select {
	case p.slots <- struct{}{}:
		p.running.Add(1)
		return Place{p}, nil
	default:
		return Place{}, fmt.Errorf("%w: %d", abi.ErrBusy, cap(p.slots))
	}
}

// Leave gives the place back. It must be called once.
func (pl Place) Leave() {
	<-pl.p.slots
	pl.p.running.Done()
}

// Invoke is Enter, Place.Invoke and Place.Leave.
func (p *Program) Invoke(ctx context.Context, call Call) (Result, error) {
	place, err := p.Enter(call.Links)
	if err != nil {
		return Result{}, err
	}
	defer place.Leave()
	return place.Invoke(ctx, call)
}

// Invoke runs one request, which finds the module as it was after its start-up. call.Links
// are those that Enter was given. Its errors wrap the faults of package abi.
func (pl Place) Invoke(ctx context.Context, call Call) (Result, error) {
	p := pl.p
	if n := int64(len(call.Request.Body)); n > p.limits.RequestBody {
		return Result{}, fmt.Errorf("%w: %d bytes, and the limit is %d", abi.ErrRequestTooLarge, n, p.limits.RequestBody)
	}
	now := time.Now()
	v := &invocation{
		Context: ctx, call: call, limits: &p.limits, cgi: p.iface == abi.InterfaceWASI, began: now, deadline: now.Add(p.limits.Timeout),
		fuel: allowance{request: p.limits.Fuel, slice: firstSlice}, host: hostTime{most: p.limits.HostTime}, links: links{granted: call.Links}, holds: holding{room: call.Room},
		stderr: lineWriter{sink: call.Stderr}, moments: moments{rehearsal: call.rehearsal}, watch: p.watch, turn: turns.Of(p.share, call.Weight),
	}
	if err := p.admit(v); err != nil {
		return Result{}, err
	}
	defer v.turn.End()
	defer p.unreserve(v)
	if v.cgi {
		v.stdin = call.Request.Body
	}
	var result Result
	err := p.watch.Do("invocation", func() error { return p.run(v, &result) })
	if _, panicked := errors.AsType[*calm.PanicError](err); panicked {
		err = fmt.Errorf("%w: %w", errNode, err)
	}
	if err != nil {
		v.showPrinted()
	}
	v.stderr.flush()
	if err != nil {
		result.Response = abi.Response{}
	}
	return result, err
}

// run takes an instance, initialises it unless it is initialised, calls it and
// reads the counters, in this order and whatever happens.
//
// What initialisation costs is part of the request's bill only if every request
// pays it. Where one image serves all of them it is the node's: how often it is
// taken depends on restarts and evictions, and a bill must not.
func (p *Program) run(v *invocation, result *Result) error {
	in, prepared, err := p.take(v)
	if in == nil {
		if !errors.Is(err, errNode) && !errors.Is(err, abi.ErrNodeBusy) && !errors.Is(err, abi.ErrMemoryQuota) { // a segment did not fit into its memory or table
			result.Instructions = min(p.initCost, p.limits.Fuel)
		}
		return p.fault(v, nil, err, result)
	}
	v.in = in
	defer func() {
		if v.in != nil { // a panic of the node's own: what it left is not given to anybody
			p.pool.abandon(v, in)
		}
	}()
	if !prepared {
		err = guard(func() error { return p.startUp(v, in) })
	}
	v.tried(err != nil)
	if err == nil {
		err = guard(func() error { return p.serve(v, in, result) })
	}
	cause := err
	if err = p.count(v, in, err, result); err != nil {
		err = p.fault(v, in, err, result)
	}
	if cause == nil && err == nil || !in.started && foreseen(cause) {
		p.pool.keep(v, in)
	} else {
		p.pool.discard(v, in)
	}
	v.in = nil
	return err
}

// count fills in what a call took. It returns err, or that the limit was passed.
func (p *Program) count(v *invocation, in *instance, err error, result *Result) error {
	ended := time.Now()
	v.host.stop(ended)
	result.Host, result.Guest = v.host.spent, max(0, ended.Sub(v.began)-v.host.spent-v.waited)
	result.BodyBytes = max(v.sent, int64(len(result.Response.Body)))
	result.Instructions = v.fuel.used(int64(in.fuel.Get()))
	result.MemoryPeak = int64(in.memory.Size())
	p.learn(result.MemoryPeak)
	exceeds := result.Instructions > v.fuel.limit()
	if result.startUp = v.startUp; v.init.running {
		result.startUp = min(result.Instructions, v.fuel.limit())
	}
	// Whatever happened after the limit was passed and before the guest asked
	// again did not count. Nor is a request billed more than its own limit for a
	// start-up that failed.
	result.Instructions = min(result.Instructions, p.limits.Fuel)
	if exceeds && v.stop == nil && !errors.Is(err, errNode) {
		v.stop = v.exhausted()
		return v.stop
	}
	return err
}

// guard turns a panic that the engine let through into an error.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", abi.ErrTrap, r)
		}
	}()
	return f()
}

func (p *Program) serve(v *invocation, in *instance, result *Result) (err error) {
	if v.cgi {
		result.Response, err = p.serveCGI(v, in)
	} else {
		result.Response, err = p.serveFrame(v, in, v.call.Request)
	}
	if err != nil {
		return err
	}
	if v.streams {
		result.Response = v.collected
		result.Response.Status = v.status
		return nil
	}
	if n := int64(len(result.Response.Body)); n > p.limits.ResponseBody {
		return fmt.Errorf("%w: %d bytes, and the limit is %d", abi.ErrResponseTooLarge, n, p.limits.ResponseBody)
	}
	return checkHeader(result.Response.Header)
}

// serveFrame speaks interface abi/v1.
func (p *Program) serveFrame(v *invocation, in *instance, r *abi.Request) (abi.Response, error) {
	size := abi.RequestSize(r)
	if int64(size) > math.MaxInt32 {
		return abi.Response{}, fmt.Errorf("%w: a frame of %d bytes", abi.ErrRequestTooLarge, size)
	}
	answer, err := in.callServe(v, 0, uint64(size), 0)
	if err != nil {
		v.tried(!v.init.warming)
		return abi.Response{}, err
	}
	if answer == shellAnswers {
		return abi.Response{}, p.lost()
	}
	ptr := uint32(answer)
	frame, ok := in.memory.Read(ptr, uint32(size))
	if ptr == 0 || !ok {
		return abi.Response{}, fmt.Errorf("%w: %s(%d) answered %d, where the frame does not fit into its memory", abi.ErrBadResponse, abi.ExportAlloc, size, ptr)
	}
	abi.AppendRequest(frame[:0], r)
	answer, err = in.callServe(v, 1, uint64(ptr), uint64(size))
	if err != nil {
		return abi.Response{}, err
	}
	if v.streams {
		if answer != 0 {
			return abi.Response{}, fmt.Errorf("%w: it answered again after it had started its answer", abi.ErrBadResponse)
		}
		return abi.Response{}, nil
	}
	ptr, n := abi.UnpackResult(answer)
	if int64(n) > p.limits.ResponseBody+maxHeaderBytes {
		return abi.Response{}, fmt.Errorf("%w: a frame of %d bytes", abi.ErrResponseTooLarge, n)
	}
	view, ok := in.memory.Read(ptr, n)
	if !ok {
		return abi.Response{}, fmt.Errorf("%w: it points outside of its memory (%d bytes at %d)", abi.ErrBadResponse, n, ptr)
	}
	answered, err := abi.DecodeResponse(view)
	if err != nil {
		return abi.Response{}, fmt.Errorf("%w: %w", abi.ErrBadResponse, err)
	}
	if err := v.holds.add(len(answered.Body)); err != nil {
		v.stop = err
		return abi.Response{}, err
	}
	answered.Body = append([]byte(nil), answered.Body...) // the instance's memory goes away
	return answered, nil
}

// serveCGI runs a WASI command.
func (p *Program) serveCGI(v *invocation, in *instance) (abi.Response, error) {
	in.depth.Set(0)
	err := in.call(v, in.serve)
	if err != nil && !v.exited {
		return abi.Response{}, err
	}
	if v.exitCode != 0 {
		return abi.Response{}, fmt.Errorf("%w: %d; what it printed is in its log, and is not sent", abi.ErrExitStatus, v.exitCode)
	}
	if v.streams {
		return abi.Response{}, nil
	}
	r, err := ParseCGI(v.stdout)
	unbuffered(&r)
	return r, err
}

// fault says what an error from inside means.
func (p *Program) fault(v *invocation, in *instance, err error, result *Result) error {
	if v.stop != nil {
		return v.stop
	}
	if abi.FaultKind(err) != "internal" || errors.Is(err, errNode) {
		return err
	}
	text := err.Error()
	reason, trace, _ := strings.Cut(text, "\n")
	result.FaultDetail = clip(p.explain(in, trace), 8192)
	if strings.Contains(text, "stack overflow") {
		return fmt.Errorf("%w: %s", abi.ErrStackExhausted, reason)
	}
	if in != nil {
		if in.slot.starved != nil {
			return fmt.Errorf("%w: its memory could not grow beyond %d KiB", in.slot.busy(), in.memory.Size()/1024)
		}
		if uint32(in.depth.Get()) > p.depth {
			return fmt.Errorf("%w: more than %d calls are open", abi.ErrStackExhausted, p.depth)
		}
		if in.stackOverflowed(reason) {
			return fmt.Errorf("%w: its own stack, in linear memory, is full; make it larger (clang and Rust: -Wl,-z,stack-size=1048576, or -C link-arg=-zstack-size=1048576)", abi.ErrStackExhausted)
		}
		if uint32(in.refused.Get()) > 0 {
			return fmt.Errorf("%w of %d KiB: %s", abi.ErrMemoryExhausted, p.limits.Memory/1024, reason)
		}
	}
	return fmt.Errorf("%w: %s", abi.ErrTrap, reason)
}

// stackOverflowed reports whether a trap comes from the stack that compilers keep in linear
// memory. It lies at the memory's start and grows down: one that is full wraps around below zero,
// where no memory is. The first mutable global is its pointer, by LLVM's convention.
func (in *instance) stackOverflowed(reason string) bool {
	if len(in.globals) == 0 || in.globals[0].Type() != api.ValueTypeI32 || !strings.Contains(reason, "out of bounds memory access") {
		return false
	}
	return int32(uint32(in.globals[0].Get())) < 0 && uint32(in.globals[0].Get()) >= in.memory.Size()
}

const maxShown = 2 << 10 // bytes of a response that is not sent

// showPrinted writes the beginning of what a command printed, and failed, to its log: it often
// says why.
func (v *invocation) showPrinted() {
	if !v.cgi || v.streams || len(v.stdout) == 0 {
		return
	}
	v.stderr.flush()
	v.stderr.write([]byte("what it printed, which is not sent, begins:\n"))
	v.stderr.write(v.stdout[:min(len(v.stdout), maxShown)])
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + " …"
}
