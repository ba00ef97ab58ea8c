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

	"github.com/agora-host/agora/internal/calm"
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

// archive is the directory of journals, as far as nothing is written to them any more: it reads them,
// and keeps those for a while whose epochs are in the store for good.
type archive struct {
	fs    journal.FS
	watch *calm.Watch
	now   func() time.Time
	keep  time.Duration
	most  int64 // bytes that are kept
}

// putAway takes a journal out of the way whose epoch is in the store for good.
func (a *archive) putAway(e *epoch) error {
	if e.damage {
		return a.durably(a.fs.Rename(e.name, e.name+damagedExt))
	}
	if a.keep > 0 && e.node != "" {
		at := a.now()
		if !e.last.IsZero() {
			at = e.last
		}
		if err := a.compress(e.name, keptName(e.number, at)); err != nil {
			return fmt.Errorf("keep the journal %s: %w", e.name, err)
		}
	}
	failpoint.Hit("meter-before-remove")
	if err := a.fs.Remove(e.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return a.durably(nil)
}

func (a *archive) durably(err error) error {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return a.fs.Sync()
}

// compress makes a compressed copy that is there entirely or not at all.
func (a *archive) compress(from, to string) error {
	in, err := a.fs.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // done before
	}
	if err != nil {
		return err
	}
	defer in.Close()
	temp := to + tempExt
	if err := a.fs.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := a.fs.Create(temp)
	if err != nil {
		return err
	}
	if err := pack(out, in); err != nil {
		return err
	}
	if err := a.fs.Rename(temp, to); err != nil {
		return err
	}
	return a.fs.Sync()
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
func (a *archive) forgetOld() error {
	files, err := a.fs.List()
	if err != nil {
		return err
	}
	slices.SortFunc(files, func(a, b journal.Entry) int { return strings.Compare(b.Name, a.Name) }) // newest first
	oldest := a.now().Add(-a.keep)
	var bytes int64
	for _, f := range files {
		_, last, ok := keptSince(f.Name)
		if !ok {
			continue
		}
		if bytes += f.Size; last.After(oldest) && bytes <= a.most {
			continue
		}
		if err := a.fs.Remove(f.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
