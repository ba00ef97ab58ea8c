package metering

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
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
	var f fold
	h, _, err := journal.Read(r, func(rec journal.Record, proven bool) error { return f.add(rec, proven, each) })
	if errors.Is(err, journal.ErrNoHeader) || errors.Is(err, journal.ErrNotJournal) {
		return h, fmt.Errorf("%w: %w", journal.ErrNotJournal, err)
	}
	if err != nil {
		return h, err
	}
	return h, f.end(each)
}

// fold reads records as they are billed.
type fold struct {
	decoder *decoder
	running map[string]Entry // by id: the last checkpoint
}

func (f *fold) add(rec journal.Record, proven bool, each func(Entry) error) error {
	if f.decoder == nil {
		f.decoder, f.running = newDecoder(), map[string]Entry{}
	}
	k, at, v, err := f.decoder.decode(rec.Payload)
	if err != nil {
		return fmt.Errorf("record %d: %w", rec.Seq, err)
	}
	e := Entry{Seq: rec.Seq, Kind: EntryCall, At: at, Proven: proven, Invocation: v}
	switch {
	case k == kindStanding:
		e.Kind = EntryStanding
	case k == kindCheckpoint:
		e.Kind = EntryRunning
		if proven {
			f.running[v.ID] = e
		}
	case proven && len(f.running) > 0:
		delete(f.running, v.ID)
	}
	return each(e)
}

// end answers the invocations that did not: they were cut off.
func (f *fold) end(each func(Entry) error) error {
	for _, e := range f.running {
		e.Kind, e.Fault = EntryCall, FaultCutOff
		if err := each(e); err != nil {
			return err
		}
	}
	return nil
}
