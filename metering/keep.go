package metering

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/agora-host/agora/internal/failpoint"
	"github.com/agora-host/agora/metering/journal"
)

const (
	keptExt = journalExt + ".gz"
	tempExt = ".tmp"
)

// keptName carries when the epoch ended, by which it is deleted one day.
func keptName(epoch uint64, last time.Time) string {
	return fmt.Sprintf("%016x.%012x%s", epoch, max(0, last.Unix()), keptExt)
}

func keptSince(name string) (epoch uint64, last time.Time, ok bool) {
	var unix int64
	_, err := fmt.Sscanf(name, "%016x.%012x"+keptExt, &epoch, &unix)
	return epoch, time.Unix(unix, 0).UTC(), err == nil && strings.HasSuffix(name, keptExt)
}

// putAway takes a journal out of the way whose epoch is in the store for good.
func (m *Meter) putAway(e *epoch) error {
	if e.damage {
		return m.durably(m.o.FS.Rename(e.name, e.name+damagedExt))
	}
	if m.o.Keep > 0 && e.node != "" {
		at := m.o.Now()
		if !e.last.IsZero() {
			at = e.last
		}
		if err := m.compress(e.name, keptName(e.number, at)); err != nil {
			return fmt.Errorf("keep the journal %s: %w", e.name, err)
		}
	}
	failpoint.Hit("meter-before-remove")
	if err := m.o.FS.Remove(e.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return m.durably(nil)
}

func (m *Meter) durably(err error) error {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return m.o.FS.Sync()
}

// compress makes a compressed copy that is there entirely or not at all.
func (m *Meter) compress(from, to string) error {
	in, err := m.o.FS.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // done before
	}
	if err != nil {
		return err
	}
	defer in.Close()
	temp := to + tempExt
	if err := m.o.FS.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := m.o.FS.Create(temp)
	if err != nil {
		return err
	}
	if err := pack(out, in); err != nil {
		return err
	}
	if err := m.o.FS.Rename(temp, to); err != nil {
		return err
	}
	return m.o.FS.Sync()
}

// pack writes a compressed copy, durably, and closes it whatever happens.
func pack(out journal.File, in io.Reader) (err error) {
	defer func() { err = errors.Join(err, out.Close()) }()
	packed := packers.Get().(*gzip.Writer)
	packed.Reset(&sequential{file: out})
	_, err = io.Copy(packed, in)
	if err = errors.Join(err, packed.Close()); err == nil {
		err = out.Sync()
	}
	packers.Put(packed)
	return err
}

// packers are a megabyte each.
var packers = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	return w
}}

type sequential struct {
	file journal.File
	at   int64
	err  error // of the last write
}

func (s *sequential) Write(p []byte) (int, error) {
	n, err := s.file.WriteAt(p, s.at)
	s.at, s.err = s.at+int64(n), err
	return n, err
}

// forgetOld deletes kept journals that are too old, or too many.
func (m *Meter) forgetOld() error {
	files, err := m.o.FS.List()
	if err != nil {
		return err
	}
	slices.SortFunc(files, func(a, b journal.Entry) int { return strings.Compare(b.Name, a.Name) }) // newest first
	oldest := m.o.Now().Add(-m.o.Keep)
	var bytes int64
	for _, f := range files {
		_, last, ok := keptSince(f.Name)
		if !ok {
			continue
		}
		if bytes += f.Size; last.After(oldest) && bytes <= m.o.KeepBytes {
			continue
		}
		if err := m.o.FS.Remove(f.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
