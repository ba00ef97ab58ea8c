package metering

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/metering/journal"
)

// The kinds of a journal's entries.
const (
	EntryCall     = "call"     // an invocation that ended, or was cut off
	EntryRunning  = "running"  // a checkpoint of one
	EntryStanding = "standing" // usage that no invocation caused
)

// Entry is one record of a journal, for whoever wants to see each call behind a
// bill.
type Entry struct {
	Seq    uint64    `json:"seq"`
	Kind   string    `json:"kind"`
	At     time.Time `json:"at"`
	Proven bool      `json:"proven"` // false behind something that is not whole: it is not billed
	Invocation
}

// ReadJournal lists a journal as it is billed: an invocation that did not end is,
// last, the call that its last checkpoint makes it. The name says whether it is
// compressed. What a file in the journal directory is that is none answers
// journal.ErrNotJournal.
func ReadJournal(name string, from io.Reader, each func(Entry) error) (journal.Header, error) {
	name = strings.TrimSuffix(name, damagedExt)
	if strings.HasSuffix(name, keptExt) {
		packed, err := gzip.NewReader(from)
		if err != nil {
			return journal.Header{}, fmt.Errorf("%w: %w", journal.ErrNotJournal, err)
		}
		from = packed
	} else if !strings.HasSuffix(name, journalExt) {
		return journal.Header{}, journal.ErrNotJournal
	}
	r := bufio.NewReader(from)
	if isEarlier(r) {
		return journal.Header{}, fmt.Errorf("%w: its records have no ids", journal.ErrNotJournal)
	}
	f := newFold()
	h, _, err := journal.Read(r, func(rec journal.Record, proven bool) error {
		r, err := f.add(rec, proven)
		if err != nil {
			return err
		}
		return each(r.entry())
	})
	if errors.Is(err, journal.ErrNoHeader) || errors.Is(err, journal.ErrNotJournal) {
		return h, fmt.Errorf("%w: %w", journal.ErrNotJournal, err)
	}
	if err != nil {
		return h, err
	}
	return h, f.end(func(r *record) error { return each(r.entry()) })
}

var entryKinds = [...]string{kindInvocation: EntryCall, kindCheckpoint: EntryRunning, kindStanding: EntryStanding}

func (r *record) entry() Entry {
	return Entry{Seq: r.seq, Kind: entryKinds[r.kind], At: r.at, Proven: r.proven, Invocation: r.lasting()}
}

// fold reads records as they are billed.
type fold struct {
	decoder *decoder
	record  record            // the last one read
	running map[string]record // by id: the last checkpoint
	id      []byte
}

func newFold() *fold { return &fold{decoder: newDecoder(), running: map[string]record{}} }

// add returns a record that is good until the next.
func (f *fold) add(rec journal.Record, proven bool) (*record, error) {
	r := &f.record
	if err := f.decoder.decode(rec.Payload, r); err != nil {
		return r, fmt.Errorf("record %d: %w", rec.Seq, err)
	}
	r.seq, r.proven = rec.Seq, proven
	switch {
	case !proven:
	case r.kind == kindCheckpoint:
		last := *r
		last.Uses = slices.Clone(r.Uses)
		last.rawID, last.hexID = r.appendID(nil), false
		f.running[string(last.rawID)] = last
	case r.kind == kindInvocation && len(f.running) > 0:
		f.id = r.appendID(f.id[:0])
		delete(f.running, string(f.id))
	}
	return r, nil
}

// end returns the invocations that did not: they were cut off.
func (f *fold) end(each func(*record) error) error {
	for _, r := range f.running {
		r.kind, r.Fault = kindInvocation, FaultCutOff
		if err := each(&r); err != nil {
			return err
		}
	}
	return nil
}
