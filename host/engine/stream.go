package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/metering/fuel"
)

// exportStream offers abi.StreamModule.
func exportStream(b wazero.HostModuleBuilder) {
	for name, call := range map[string]func(*invocation, []byte){abi.StreamStart: (*invocation).streamFrame, abi.StreamWrite: (*invocation).streamBytes} {
		exportHostFunc(b, abi.StreamModule, name, func(_ context.Context, v *invocation, in []byte) ([]byte, abi.Errno) {
			if v.init.running {
				return nil, abi.ErrnoUnavailable // there was no request yet
			}
			call(v, in)
			return nil, abi.ErrnoOK
		})
	}
}

func (v *invocation) streamFrame(frame []byte) {
	if v.streams {
		v.halt(fmt.Errorf("%w: it started its answer twice", abi.ErrBadResponse))
	}
	r, err := abi.DecodeResponse(frame)
	if err != nil {
		v.halt(fmt.Errorf("%w: %w", abi.ErrBadResponse, err))
	}
	v.startStream(r)
}

func (v *invocation) streamBytes(p []byte) {
	if !v.streams {
		v.halt(fmt.Errorf("%w: it sends bytes before it started its answer", abi.ErrBadResponse))
	}
	v.sendStream(p, func(deadline time.Time) error { return v.call.Stream.Write(p, deadline) })
}

// startStream sends status, headers and the first piece. Nothing was sent
// before: what is wrong with them is still told as a whole answer.
func (v *invocation) startStream(r abi.Response) {
	if err := checkHeader(r.Header); err != nil {
		v.halt(err)
	}
	v.streams, v.status = true, r.Status
	if v.call.Stream == nil {
		v.collected.Header = slices.Clone(r.Header)
	} else if v.call.Checkpoint != nil {
		v.checkpoints.begin(v.fuel.limit())
	}
	v.sendStream(r.Body, func(deadline time.Time) error { return v.call.Stream.Start(r, deadline) })
}

// sendStream counts a piece and hands it on, or collects it for a caller who
// does not take pieces.
func (v *invocation) sendStream(p []byte, send func(deadline time.Time) error) {
	if v.sent+int64(len(p)) > v.limits.ResponseBody {
		v.halt(fmt.Errorf("%w of %d bytes", abi.ErrResponseTooLarge, v.limits.ResponseBody))
	}
	v.charge(fuel.HostPiece)
	v.sent += int64(len(p))
	if v.call.Stream == nil {
		v.mustHold(len(p))
		v.collected.Body = append(v.collected.Body, p...)
		return
	}
	if now, used := time.Now(), v.fuel.used(int64(v.in.fuel.Get())); v.checkpoints.due(now, used) {
		v.checkpoint(now, used)
	}
	deadline := v.host.until(v.deadline)
	switch err := send(deadline); {
	case errors.Is(err, os.ErrDeadlineExceeded): // the server takes it for a caller that left
		v.halt(v.tooLate(deadline))
	case err != nil:
		v.halt(fmt.Errorf("%w: %w", abi.ErrCanceled, err))
	}
}

// roomStep is how many bytes of a response are counted at a time. The first are not: they are
// about what is held for any request.
const roomStep = 16 << 10

// holding is what of a response is held in memory.
type holding struct {
	room    Room  // that counts it; nil: it is not counted
	bytes   int64 // that are held
	counted int64 // of those
}

// add asks for room for n bytes more.
func (h *holding) add(n int) error {
	h.bytes += int64(n)
	if h.room == nil || h.bytes <= h.counted+roomStep {
		return nil
	}
	more := (h.bytes - h.counted - 1) / roomStep * roomStep
	if err := h.room.Hold(more); err != nil {
		return err
	}
	h.counted += more
	return nil
}

// mustHold counts n bytes more of the response from inside a host function.
func (v *invocation) mustHold(n int) {
	if err := v.holds.add(n); err != nil {
		v.halt(err)
	}
}

// printed takes what a command prints to standard output: its answer. It is
// collected, unless its headers, as soon as they are complete, ask for a stream.
func (v *invocation) printed(view []byte) {
	if v.streams {
		v.whileHost(func() { v.streamBytes(view) })
		return
	}
	if int64(len(v.stdout)+len(view)) > v.limits.ResponseBody+maxHeaderBytes {
		v.halt(fmt.Errorf("%w of %d bytes", abi.ErrResponseTooLarge, v.limits.ResponseBody))
	}
	v.mustHold(len(view))
	before := len(v.stdout)
	v.stdout = append(v.stdout, view...)
	news := v.stdout[max(0, before-2):]
	if v.headersSeen || !bytes.Contains(news, []byte("\n\n")) && !bytes.Contains(news, []byte("\n\r\n")) {
		return
	}
	v.headersSeen = true
	r, err := ParseCGI(v.stdout)
	if err == nil && unbuffered(&r) { // an error is told at the end
		v.whileHost(func() { v.startStream(r) })
	}
}

// unbuffered reports whether a command's headers ask for a stream, and removes the
// one that is for the node alone.
func unbuffered(r *abi.Response) (wanted bool) {
	r.Header = slices.DeleteFunc(r.Header, func(f abi.Field) bool {
		switch {
		case strings.EqualFold(f.Name, "Content-Type"):
			kind, _, _ := mime.ParseMediaType(f.Value)
			wanted = wanted || kind == abi.EventStream
		case strings.EqualFold(f.Name, abi.UnbufferedHeader):
			wanted = wanted || strings.EqualFold(f.Value, "no")
			return true
		}
		return false
	})
	return wanted
}
