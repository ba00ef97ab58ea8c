package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/durable"
)

// A node that ends by itself soon after its start, again and again, is told from one that was
// killed once. Each start is noted before anything of it can do harm, and the note is taken
// back when the process ends as it was told to, or fails to start and says why. One that lived
// for long enough takes back all of them. What remains is starts of which no end is known.
const (
	outlived    = 5 * time.Minute // after which an end has nothing to do with the start
	startsCount = time.Hour       // for how long a start without an end is of interest
	manyStarts  = 3
	keptStarts  = 16
)

// starts are the times of starts without a known end, oldest first.
type starts []time.Time

// readStarts reads those of the last hour. The file is no account: one that cannot be read is
// begun anew.
func readStarts(dir string, now time.Time) (recent starts) {
	raw, err := os.ReadFile(filepath.Join(dir, startsFile))
	var all starts
	if err != nil || json.Unmarshal(raw, &all) != nil {
		return nil
	}
	for _, at := range all {
		if age := now.Sub(at); age >= 0 && age < startsCount {
			recent = append(recent, at)
		}
	}
	return recent[max(0, len(recent)-keptStarts):]
}

func (s starts) write(dir string) error {
	path := filepath.Join(dir, startsFile)
	if len(s) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return durable.Replace(dir, path, append(raw, '\n'))
}

// startRecord is what a running node knows of its starts.
type startRecord struct {
	dir       string
	log       *slog.Logger
	unclean   starts      // before this one; never changes
	outlasted atomic.Bool // this one has proven well
}

// noteStart notes this start, and says so if those before it came to no good end. It must be
// called by the one process that has the directory. A disk that takes no note keeps no node from
// starting.
func noteStart(dir string, now time.Time, log *slog.Logger) *startRecord {
	now = now.UTC()
	r := &startRecord{dir: dir, log: log, unclean: readStarts(dir, now)}
	if len(r.unclean) >= manyStarts {
		remedy := startsRemedy(dir)
		log.Error(r.unclean.detail(), "remedy", remedy.Summary, "commands", remedy.Commands)
	}
	r.note(append(slices.Clip(r.unclean), now))
	return r
}

func (r *startRecord) note(s starts) {
	if err := s.write(r.dir); err != nil {
		r.log.Warn("a start of the node could not be noted", "err", err)
	}
}

// end takes the note of this start back: it ends as it was told to.
func (r *startRecord) end(context.Context) error {
	if !r.outlasted.Load() {
		r.note(r.unclean)
	}
	return nil
}

// outlive forgets starts once this one has proven well.
func (r *startRecord) outlive(ctx context.Context) {
	t := time.NewTimer(outlived)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return
	case <-t.C:
	}
	r.outlasted.Store(true)
	if err := starts(nil).write(r.dir); err != nil {
		r.log.Warn("earlier starts of the node could not be forgotten", "err", err)
	}
}

// check is the doctor's line of a node that runs.
func (r *startRecord) check() Check {
	before := r.unclean
	if r.outlasted.Load() {
		before = nil
	}
	return before.check(r.dir)
}

func (s starts) detail() string {
	return fmt.Sprintf("the node was started %d times within an hour and ended each time within %s, without being stopped; the last such start was at %s",
		len(s), outlived, s[len(s)-1].Format(time.RFC3339))
}

func startsRemedy(dir string) abi.Remedy {
	return abi.Remedy{
		Summary: "The log of those starts says what ended them. If it is something that waits in the queue, start with all triggers paused, and pause the one that does it. " +
			"If a file is damaged, go back to a snapshot or restore a backup. If the machine ended them (memory, a supervisor's timeout), give the node more.",
		Commands: []string{
			"agora serve --pause-triggers --data " + dir, "agora doctor --data " + dir,
			"agora restore --snapshot latest --data " + dir, "agora restore FILE --data NEWDIR",
		},
	}
}

// check is the doctor's line about earlier starts. One or two without an end are what a kill or
// the loss of power leaves.
func (s starts) check(dir string) Check {
	switch {
	case len(s) >= manyStarts:
		return Check{Name: "starts", Detail: s.detail(), Remedy: startsRemedy(dir)}
	case len(s) > 0:
		return Check{Name: "starts", OK: true, Detail: fmt.Sprintf("%d within the last hour ended early without being stopped, as a kill does", len(s))}
	}
	return Check{Name: "starts", OK: true, Detail: "none within the last hour ended early without being stopped"}
}
