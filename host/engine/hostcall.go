package engine

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/metering/fuel"
)

// A guest burns fuel while it works, and none while the node works for it. That
// time is counted apart, and has a budget of its own within the deadline: an app
// that waits is not one that computes.

// hostTime is what an invocation spends in host calls, which are one after another.
type hostTime struct {
	most  time.Duration // that all may take; 0: the deadline alone holds
	since time.Time     // when the one that runs began; zero: none does
	spent time.Duration // by those that ended
}

// stop ends the call that runs, if one does.
func (h *hostTime) stop(now time.Time) {
	if !h.since.IsZero() {
		h.spent += now.Sub(h.since)
		h.since = time.Time{}
	}
}

// total is what they have taken by now.
func (h *hostTime) total(now time.Time) time.Duration {
	if h.since.IsZero() {
		return h.spent
	}
	return h.spent + now.Sub(h.since)
}

// over reports whether they have used up what all may take.
func (h *hostTime) over() bool { return h.most > 0 && h.spent >= h.most }

// until is when the call that runs has to end, of an invocation with a deadline.
func (h *hostTime) until(deadline time.Time) time.Time {
	if budget := h.since.Add(h.most - h.spent); h.most > 0 && budget.Before(deadline) {
		return budget
	}
	return deadline
}

// hostBegins starts the clock of a host call.
func (v *invocation) hostBegins() { v.host.since = v.alive() }

// hostEnds stops it, and the guest if its budget is used up.
func (v *invocation) hostEnds() {
	v.host.stop(v.alive())
	if v.host.over() {
		v.halt(v.tooLate(time.Time{}))
	}
}

// tooLate is the error for a deadline that has passed, of the invocation or of its host calls.
func (v *invocation) tooLate(deadline time.Time) error {
	if deadline.Equal(v.deadline) {
		if v.init.running {
			return fmt.Errorf("%w of %s: its start-up takes longer", abi.ErrDeadlineExceeded, v.limits.Timeout)
		}
		return fmt.Errorf("%w of %s", abi.ErrDeadlineExceeded, v.limits.Timeout)
	}
	return fmt.Errorf("%w of %s", abi.ErrHostTimeExceeded, v.limits.HostTime)
}

// whileHost counts the time of work that may have to wait, and lets others run meanwhile.
func (v *invocation) whileHost(work func()) {
	v.hostBegins()
	v.turn.End()
	work()
	v.hostEnds()
	v.takeTurn()
}

// takeTurn waits for a processor after a host call in which the guest gave its own away.
func (v *invocation) takeTurn() {
	since := now()
	if err := v.turn.Begin(v, v.deadline); err != nil || v.turn.Waited() {
		v.resumed(since, err)
	}
}

// hostFunc serves a function of the one shape that capabilities have, see
// abi.Capability. in is guest memory, valid during the call.
type hostFunc func(ctx context.Context, v *invocation, in []byte) (out []byte, errno abi.Errno)

// atOnce are the functions that never wait for a disk or the network, by module and name: a guest
// keeps its turn during them, since giving it away takes longer.
var atOnce = map[string]bool{
	"app:config/v1.get": true, "app:secret/v1.get": true, "app:log/v1.write": true,
	"app:kv/v1.get": true, "app:kv/v1.list": true, "app:kv/v1.scan": true, "app:blob/v1.stat": true,
}

func exportHostFunc(b wazero.HostModuleBuilder, module, name string, call hostFunc) {
	full := module + "." + name
	waits := !atOnce[full]
	i32, i64 := api.ValueTypeI32, api.ValueTypeI64
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, m api.Module, stack []uint64) {
		v := of(ctx)
		v.charge(fuel.HostCapability)
		answer := func() { stack[0] = uint64(answerCall(ctx, v, m.Memory(), stack, full, call)) }
		if waits {
			v.whileHost(answer)
			return
		}
		v.hostBegins()
		answer()
		v.hostEnds()
	}), []api.ValueType{i32, i32, i32, i32}, []api.ValueType{i64}).Export(name)
}

// kept is an answer that did not fit into the guest's buffer. The guest asks for
// it by repeating the call, which must not do again what it did.
type kept struct {
	call    string
	in, out []byte
}

// take gives an answer away that was kept for this very call. Whatever the guest
// calls instead, it no longer wants what was kept.
func (k *kept) take(call string, in []byte) (out []byte, ok bool) {
	was := *k
	*k = kept{}
	return was.out, was.call == call && bytes.Equal(was.in, in)
}

func answerCall(ctx context.Context, v *invocation, memory api.Memory, stack []uint64, name string, call hostFunc) int64 {
	in, ok := memory.Read(uint32(stack[0]), uint32(stack[1]))
	if !ok {
		return -int64(abi.ErrnoFault)
	}
	v.charge(fuel.Copying(len(in)))
	out, ok := v.kept.take(name, in)
	if !ok {
		var errno abi.Errno
		if out, errno = call(ctx, v, in); errno != abi.ErrnoOK {
			return -int64(errno)
		}
	}
	switch capacity := int64(uint32(stack[3])); {
	case len(out) > math.MaxInt32:
		return -int64(abi.ErrnoTooLarge)
	case int64(len(out)) > capacity:
		v.kept = kept{name, bytes.Clone(in), out}
	case !v.copyOut(memory, uint32(stack[2]), out):
		return -int64(abi.ErrnoFault)
	}
	return int64(len(out))
}

// copyOut charges for an answer's bytes, and writes them.
func (v *invocation) copyOut(memory api.Memory, at uint32, out []byte) (ok bool) {
	v.charge(fuel.Copying(len(out)))
	return memory.Write(at, out)
}

// links are the functions of the capabilities that are granted. The last that was called is
// remembered: guests make the same call again and again.
type links struct {
	granted    map[string]abi.Link // by word
	word, name string              // of the last
	f          abi.HostFunc        // which that was; nil: there is none
}

// find returns the function that a call leads to; nil if that is not granted.
func (l *links) find(word, name string) abi.HostFunc {
	if l.word != word || l.name != name || l.f == nil {
		l.word, l.name, l.f = word, name, l.granted[word][name]
	}
	return l.f
}

// maxCalls bounds the calls of capabilities in one invocation: each burns little
// fuel of the guest's, and some of the node's time.
const maxCalls = 100_000

// exportCapability offers a capability's import module. What it does is linked
// at each call.
func exportCapability(b wazero.HostModuleBuilder, c abi.Capability) {
	where := "capability " + c.Name
	for _, name := range c.Functions {
		exportHostFunc(b, c.Module, name, func(_ context.Context, v *invocation, in []byte) (out []byte, errno abi.Errno) {
			if v.init.warming {
				return nil, abi.ErrnoUnavailable // nothing of anybody's may get into the image
			}
			v.init.called = v.init.called || v.init.running
			f := v.links.find(c.Name, name)
			if f == nil {
				return nil, abi.ErrnoDenied
			}
			if t := v.call.trial; t != nil {
				t.Called = true
			}
			if v.calls++; v.calls > maxCalls {
				v.halt(fmt.Errorf("%w: more than %d times", abi.ErrTooManyCalls, maxCalls))
			}
			limited := v.callContext()
			defer limited.end()
			err := v.watch.Do(where, func() error {
				out, errno = f(limited, in)
				return nil
			})
			if err != nil { // the node's defect, and not the app's
				return nil, abi.ErrnoUnavailable
			}
			return out, errno
		})
	}
}
