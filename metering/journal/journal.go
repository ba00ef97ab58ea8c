package journal

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/internal/failpoint"
)

// Durability is what an acknowledged record outlives. Append-only: the numbers
// are in journals.
type Durability uint8

// The classes of durability.
const (
	Process Durability = 1 // the death of the process: written, not synced
	Power   Durability = 2 // the loss of power, too: synced
	end     Durability = 255
)

// ErrClosed: nothing can be appended any more.
var ErrClosed = errors.New("the journal is closed")

// Room is made with zeros before records need it: overwriting what is there takes
// the disk half the time of making a file longer. It grows with the file.
const (
	minRoom = 64 << 10
	maxRoom = 2 << 20
)

// A sync costs 50 µs of CPU, whatever it is for. After one that crowd waited for,
// the next begins pauseFor later and is for more of them: a node whose CPUs are
// busy does up to a third more, and where they are not it is a tenth of a
// millisecond.
const (
	crowd    = 5
	pauseFor = 100 * time.Microsecond
)

// Journal appends to one file.
type Journal struct {
	name      string
	file      File
	salt      uint32
	committed func(seq uint64)
	wake      chan struct{}             // there is something to sync, or nothing will ever be
	ended     sync.WaitGroup            // of the goroutine
	syncing   atomic.Pointer[time.Time] // since when the disk syncs; nil: it does not

	mu      sync.Mutex // guards all below
	buf     []byte     // appended and not written
	off     int64      // where buf belongs
	room    int64      // up to where the file is zeros
	seq     uint64     // of the last record appended
	known   uint64     // of the last that is on the disk for certain
	acked   int64      // the end of the last that was acknowledged
	waiting *Batch     // nil if no one waits
	syncs   *Batch     // that is being made durable; nil if none is
	err     error      // why nothing is acknowledged any more
}

// Batch is the records that one sync makes durable.
type Batch struct {
	done  chan struct{}
	err   error
	waits int // for it; Journal.mu guards it
}

// Wait returns when the records are durable, or that they are not known to be. A
// nil Batch is durable.
func (b *Batch) Wait() error {
	if b == nil {
		return nil
	}
	<-b.done
	return b.err
}

// Create begins a journal. Its header and its name are durable. committed is told
// up to which number records are synced, before those that wait for it go on.
// watch recovers a panic of the journal's goroutine, and may be nil.
func Create(fs FS, name string, h Header, watch *calm.Watch, committed func(seq uint64)) (*Journal, error) {
	head, err := appendHeader(nil, h)
	if err != nil {
		return nil, err
	}
	_, salt, _ := decodeHeader(head)
	file, err := fs.Create(name)
	if err != nil {
		return nil, fmt.Errorf("begin a journal: %w", err)
	}
	j := &Journal{
		name: name, file: file, salt: salt, committed: committed, buf: head, acked: headerSize,
		wake: make(chan struct{}, 1),
	}
	if err = j.begin(); err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = fs.Sync()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("begin a journal: %w", err), file.Close(), fs.Remove(name))
	}
	watch.Job(&j.ended, "journal", func() error { return j.commit(watch) }, j.finish)
	return j, nil
}

func (j *Journal) begin() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.prepare()
	return j.write()
}

// Append adds a record. When it returns nil the record is in the file or about to
// be; it is as durable as d says when the batch's Wait returns nil.
func (j *Journal) Append(d Durability, payload []byte) (seq uint64, b *Batch, err error) {
	if len(payload) > MaxPayload {
		return 0, nil, fmt.Errorf("a record of %d bytes is too large: at most %d", len(payload), MaxPayload)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return 0, nil, j.err
	}
	j.seq++
	j.buf = appendFrame(j.buf, j.salt, Record{Seq: j.seq, Known: j.known, Durability: d, Payload: payload})
	if d != Process {
		return j.seq, j.join(), nil
	}
	if err := j.write(); err != nil {
		return 0, nil, err
	}
	j.acked = j.off
	return j.seq, nil, nil
}

// Sync makes everything durable that was appended.
func (j *Journal) Sync() error {
	b, err := j.joinIfWell()
	if err != nil {
		return err
	}
	return b.Wait()
}

func (j *Journal) joinIfWell() (*Batch, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return nil, j.err
	}
	return j.join(), nil
}

// join returns the batch that the next sync will be for. Callers hold mu.
func (j *Journal) join() *Batch {
	if j.waiting == nil {
		j.waiting = &Batch{done: make(chan struct{})}
		select {
		case j.wake <- struct{}{}:
		default:
		}
	}
	j.waiting.waits++
	return j.waiting
}

// write hands what was appended to the kernel. Callers hold mu.
func (j *Journal) write() error {
	if j.err != nil || len(j.buf) == 0 {
		return j.err
	}
	failpoint.Hit("journal-appended")
	n, err := j.file.WriteAt(j.buf, j.off)
	if err == nil && n < len(j.buf) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return j.fail(fmt.Errorf("write %s: %w", j.name, err))
	}
	failpoint.Hit("journal-written")
	j.off += int64(n)
	j.buf = j.buf[:0]
	return nil
}

// fail ends all acknowledgements, and sees that those who wait learn of it.
// Callers hold mu.
func (j *Journal) fail(err error) error {
	if j.err == nil {
		j.err = err
		select {
		case j.wake <- struct{}{}:
		default:
		}
	}
	return j.err
}

// commit syncs for all that wait, as soon as the last sync is done: the disk sets
// the pace. Only where many come is there a pause before.
func (j *Journal) commit(watch *calm.Watch) error {
	p := newPauser()
	defer p.close()
	var waited int
	one := func() error { waited = j.commitBatch(); return nil }
	for range j.wake {
		for waited = 1; waited > 0; {
			if err := watch.Do("journal", one); err != nil {
				return err
			}
			if waited >= crowd {
				p.pause(pauseFor)
			}
		}
		if j.Err() != nil {
			return nil
		}
	}
	return nil
}

// finish ends the journal when its goroutine has ended: by itself, since the journal failed or
// was closed, or by a panic. What is on the disk is then no better known than after a sync that
// failed. Whoever waits learns of it.
func (j *Journal) finish(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		_ = j.fail(fmt.Errorf("commit %s: %w", j.name, err))
	}
	for _, b := range []*Batch{j.syncs, j.waiting} {
		if b != nil {
			b.err = j.err
			close(b.done)
		}
	}
	j.syncs, j.waiting = nil, nil
}

// commitBatch tells how many it found waiting. In this order: written,
// synced, counted, released.
func (j *Journal) commitBatch() (waited int) {
	// Whoever can run appends first. Where CPUs are busy that makes few syncs of
	// many records; where they are not, it is nothing.
	runtime.Gosched()
	b, seq, off, err := j.take()
	if b == nil {
		return 0
	}
	if err == nil {
		if err = j.sync(); err != nil {
			err = fmt.Errorf("sync %s: %w", j.name, err)
		}
	}
	if err = j.synced(seq, off, err); err == nil {
		failpoint.Hit("journal-synced")
		j.committed(seq)
		failpoint.Hit("journal-counted")
	}
	j.release(b, err)
	return b.waits
}

// take writes what was appended, and returns the batch that waits for it.
func (j *Journal) take() (b *Batch, seq uint64, off int64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if b = j.waiting; b == nil {
		return nil, 0, 0, nil
	}
	j.syncs, j.waiting = b, nil
	err = j.write()
	return b, j.seq, j.off, err
}

// synced notes what came of a sync.
func (j *Journal) synced(seq uint64, off int64, err error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		return j.fail(err)
	}
	j.known, j.acked = seq, max(j.acked, off)
	return nil
}

// release lets those go on who wait for a batch, and makes room for the next.
func (j *Journal) release(b *Batch, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.syncs = nil
	b.err = err
	close(b.done)
	if err == nil {
		j.prepare()
	}
}

func (j *Journal) sync() error {
	began := time.Now()
	j.syncing.Store(&began)
	defer j.syncing.Store(nil)
	return j.file.Sync()
}

// Syncing is how long the disk has been syncing, 0 if it is not. It waits for
// no one.
func (j *Journal) Syncing() time.Duration {
	if began := j.syncing.Load(); began != nil {
		return time.Since(*began)
	}
	return 0
}

// prepare makes room when there is little left. A disk that has none will say so
// when records come. Callers hold mu.
func (j *Journal) prepare() {
	need := j.off + int64(len(j.buf))
	if j.err != nil || j.room-need > minRoom/2 {
		return
	}
	at := max(j.room, need)
	for end := at + min(max(at, minRoom), maxRoom); at < end; at += int64(len(zeros)) {
		if n, err := j.file.WriteAt(zeros[:], at); err != nil || n < len(zeros) {
			return
		}
		j.room = at + int64(len(zeros))
	}
}

var zeros [64 << 10]byte

// Size is the length of what was appended, in bytes.
func (j *Journal) Size() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.off + int64(len(j.buf))
}

// Err is why the journal takes nothing any more, or nil.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// Close ends the journal with a mark that it is complete.
func (j *Journal) Close() error {
	_, b, err := j.Append(end, nil)
	if err == nil {
		err = b.Wait()
	}
	return errors.Join(err, j.stop(false))
}

// Abandon ends a journal that failed, without syncing it again. What was never
// acknowledged is cut off, if the disk lets it.
func (j *Journal) Abandon() error { return j.stop(true) }

func (j *Journal) stop(cut bool) error {
	if !j.close() {
		return nil
	}
	j.ended.Wait()
	acked, off := j.acked, j.off // no other is left
	if cut {
		_ = j.file.Truncate(acked)
	} else {
		_ = j.file.Truncate(off)
	}
	return j.file.Close()
}

// close reports whether it is this call that closes the journal.
func (j *Journal) close() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if errors.Is(j.err, ErrClosed) {
		return false
	}
	_ = j.fail(ErrClosed)
	j.err = ErrClosed
	return true
}

// Last is the number of the last record that was appended.
func (j *Journal) Last() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.seq
}
