package journal_test

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/metering/journal"
)

// brittle is a disk whose files panic when they are synced, once they are told to.
type brittle struct {
	journal.FS
	breaks *atomic.Bool
}

type brittleFile struct {
	journal.File
	breaks *atomic.Bool
}

func (b brittle) Create(name string) (journal.File, error) {
	f, err := b.FS.Create(name)
	return brittleFile{f, b.breaks}, err
}

func (f brittleFile) Sync() error {
	if f.breaks.Load() {
		panic("the disk's driver is at fault")
	}
	return f.File.Sync()
}

// TestPanicClosesTheJournal: wherever the journal's goroutine panics, whoever waits learns that
// nothing is durable, nothing is acknowledged any more, and what was acknowledged before is read.
func TestPanicClosesTheJournal(t *testing.T) {
	for _, where := range []string{"before it begins", "in a sync", "while it counts"} {
		t.Run(where, func(t *testing.T) {
			disk, err := journal.Disk(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			var breaks, before, counting atomic.Bool
			watch := calm.New(slog.New(slog.DiscardHandler))
			watch.Inject(func(string) {
				if before.Load() {
					panic("injected")
				}
			})
			j, err := journal.Create(brittle{disk, &breaks}, "x", header, watch, func(uint64) {
				if counting.Load() {
					panic("in the meter")
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, b, err := j.Append(journal.Power, []byte("acknowledged")); errors.Join(err, b.Wait()) != nil {
				t.Fatal(err)
			}
			map[string]*atomic.Bool{"before it begins": &before, "in a sync": &breaks, "while it counts": &counting}[where].Store(true)
			var waiting sync.WaitGroup
			for i := range 16 {
				waiting.Go(func() {
					var err error
					for err == nil { // until it panics: a batch may be past the point already
						var b *journal.Batch
						if _, b, err = j.Append(journal.Power, fmt.Append(nil, i)); err == nil {
							err = b.Wait()
						}
					}
					if _, ok := errors.AsType[*calm.PanicError](err); !ok {
						t.Errorf("a record that is not known to be durable: %v", err)
					}
				})
			}
			waiting.Wait()
			if _, _, err := j.Append(journal.Process, []byte("later")); err == nil || j.Err() == nil || j.Sync() == nil {
				t.Error("the journal goes on after a panic")
			}
			if watch.Counts()["journal"] != 1 {
				t.Errorf("counted: %v", watch.Counts())
			}
			if err := j.Abandon(); err != nil {
				t.Error(err)
			}
			f, err := disk.Open("x")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var first string
			if _, _, err := journal.Read(f, func(r journal.Record, proven bool) error {
				if proven && first == "" {
					first = string(r.Payload)
				}
				return nil
			}); err != nil || first != "acknowledged" {
				t.Errorf("read %q, %v", first, err)
			}
		})
	}
}
