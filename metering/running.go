package metering

import "github.com/agora-host/agora/internal/failpoint"

// Running is an invocation that is journaled while it runs, since part of its
// response is given away before its end. It belongs to one goroutine.
//
// All its records are in one journal: whoever reads that knows whether it ended.
type Running struct {
	w *writer
	e *epoch // that of its first checkpoint
}

// Begin is for an invocation that may need checkpoints. Every Running must
// End, or Leave.
func (m *Meter) Begin() *Running { return &Running{w: m.writer} }

// Checkpoint makes durable what the invocation amounts to so far. If the node
// does not live to see its end, this is what is billed, with FaultCutOff.
func (r *Running) Checkpoint(v *Invocation) error {
	if r.e == nil {
		r.w.locked(func() {
			if r.w.down.Load() == nil {
				r.e = r.w.current
				r.e.running++
			}
		})
	}
	err := r.w.append(r.e, kindCheckpoint, v)
	failpoint.Hit("checkpointed")
	return err
}

// End records the invocation as Meter.Record does. It takes the place of all
// checkpoints.
func (r *Running) End(v *Invocation) error {
	defer r.Leave()
	return r.w.append(r.e, kindInvocation, v)
}

// Leave lets an invocation go whose end was never recorded, since the node failed: what is
// billed is its last checkpoint, once its journal is complete. After End, and again, it does
// nothing.
func (r *Running) Leave() {
	if r.e != nil {
		r.w.locked(func() { r.e.running-- })
		r.e = nil
	}
}
