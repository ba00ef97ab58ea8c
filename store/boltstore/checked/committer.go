package checked

import (
	"context"
	"errors"
	"sync"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/internal/storage"
)

// Committer is a file's one writer. Writes that wait at the same time share one
// commit: the disk sets the pace, and no timer is needed. A write that panics fails its batch,
// and nothing more.
type Committer struct {
	file   *File
	watch  *calm.Watch
	where  string // in the watch
	writes chan write
	done   <-chan struct{} // closed by end
	end    context.CancelFunc
	ended  sync.WaitGroup
}

type write struct {
	apply func(*Writer) error
	reply chan error
}

// NewCommitter begins to take writes. watch recovers their panics, calls them what where says, and
// may be nil.
func NewCommitter(f *File, watch *calm.Watch, where string) *Committer {
	ctx, end := context.WithCancel(context.Background())
	c := &Committer{file: f, watch: watch, where: where, writes: make(chan write), done: ctx.Done(), end: end}
	watch.Loop(ctx, &c.ended, where, c.run)
	return c
}

// Stop commits what waits. It may be called again.
func (s *Committer) Stop() {
	s.end()
	s.ended.Wait()
}

func (s *Committer) run(context.Context) {
	for {
		select {
		case w := <-s.writes:
			s.commitBatch(s.gather(w))
		case <-s.done:
			return
		}
	}
}

// gather takes the writes that wait at this moment.
func (s *Committer) gather(first write) []write {
	batch := []write{first}
	for len(batch) < 256 {
		select {
		case w := <-s.writes:
			batch = append(batch, w)
		default:
			return batch
		}
	}
	return batch
}

// alone reports whether a write that failed leaves the others of its batch as they
// are: it was refused, or met a damaged record.
func alone(err error) bool {
	_, refused := errors.AsType[abi.Errno](err)
	return refused || errors.Is(err, storage.ErrCorrupt)
}

// commitBatch applies all writes in one transaction, and replies to each of them also if one
// panics: bbolt has rolled the transaction back then.
func (s *Committer) commitBatch(batch []write) {
	replies := make([]error, len(batch))
	err := s.watch.Do(s.where, func() error {
		return s.file.Commit(func(w *Writer) error {
			for i, b := range batch {
				// apply decides before it writes, so a refused one leaves nothing behind.
				if replies[i] = b.apply(w); replies[i] != nil && !alone(replies[i]) {
					return replies[i]
				}
			}
			return nil
		})
	})
	for i, w := range batch {
		if err != nil {
			w.reply <- err
		} else {
			w.reply <- replies[i]
		}
	}
}

// Write returns once apply's changes are durable, or are not made. apply decides before it writes,
// so that one which refuses leaves nothing behind: what it returns is the error of this write alone if
// it is an abi.Errno or storage.ErrCorrupt, and otherwise that of the whole batch.
func (s *Committer) Write(ctx context.Context, apply func(*Writer) error) error {
	w := write{apply, make(chan error, 1)}
	select {
	case s.writes <- w:
	case <-s.done:
		return abi.ErrnoUnavailable
	case <-ctx.Done():
		return ctx.Err()
	}
	// Once taken, it will be decided: waiting for less would leave its fate unknown.
	return <-w.reply
}
