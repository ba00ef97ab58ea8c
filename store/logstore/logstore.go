package logstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/registry"
)

const (
	maxFile = 1 << 20
	maxRate = 200 // of an app's own lines
	maxNode = 100 // of the node's lines about an app, which no flood of the app's displaces
)

// Line is one line of an app's log.
type Line struct {
	At      time.Time
	App     string
	Release int
	Level   string
	Source  string
	Message string
	Call    string   `json:",omitempty"` // the invocation that it is about
	Outcome *Outcome `json:",omitempty"` // how that ended, if this line says so
}

// Outcome is how a call that failed, or was refused, ended.
type Outcome struct {
	Problem      string // the slug of its kind
	Tier         string `json:",omitempty"`
	Trigger      string `json:",omitempty"`
	Instructions uint64 `json:",omitempty"`
	GuestMicros  uint64 `json:",omitempty"`
	HostMicros   uint64 `json:",omitempty"`
	MemoryKiB    uint64 `json:",omitempty"`
}

// SourceNode is the source of what the node says about an app.
const SourceNode = "node"

// Store is a directory of logs.
type Store struct {
	dir string
	now func() time.Time

	mu   sync.Mutex // guards logs
	logs map[string]*appLog
}

// appLog is one app's open file.
type appLog struct {
	mu   sync.Mutex // guards all below
	file *os.File
	size int64
	own  pace // of what the app writes
	node pace // of what the node writes
}

// pace counts the lines of a second.
type pace struct {
	second  int64
	written int
	dropped int
}

// next counts a line, and reports whether it is written. When a second begins, it returns how
// many lines of the one before were not.
func (p *pace) next(second int64, most int) (write bool, dropped int) {
	if second != p.second {
		dropped = p.dropped
		*p = pace{second: second}
	}
	if p.written++; p.written > most {
		p.dropped++
		return false, dropped
	}
	return true, dropped
}

// Open opens or makes a directory of logs.
func Open(dir string, now func() time.Time) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &Store{dir: dir, now: now, logs: map[string]*appLog{}}, nil
}

// Close closes all files.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for app, l := range s.logs {
		l.mu.Lock()
		if l.file != nil {
			errs = append(errs, l.file.Close())
		}
		l.mu.Unlock()
		delete(s.logs, app)
	}
	return errors.Join(errs...)
}

func (s *Store) path(app string) (string, error) {
	if err := registry.ValidName(app); err != nil {
		return "", err
	}
	return filepath.Join(s.dir, app+".jsonl"), nil
}

func (s *Store) open(app string) (*appLog, string, error) {
	path, err := s.path(app)
	if err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.logs[app]
	if l == nil {
		l = &appLog{}
		s.logs[app] = l
	}
	return l, path, nil
}

// Append writes a line. Beyond the rate of its source lines are counted instead, and the count
// is written.
func (s *Store) Append(line Line) error {
	l, path, err := s.open(line.App)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p, most := &l.own, maxRate
	if line.Source == SourceNode {
		p, most = &l.node, maxNode
	}
	write, dropped := p.next(s.now().Unix(), most)
	if dropped > 0 {
		note := Line{At: line.At, App: line.App, Release: line.Release, Level: "warn", Source: SourceNode}
		note.Message = fmt.Sprintf("%s dropped: more than %d in a second", humanize.Plural(uint64(dropped), "line was", "lines were"), most)
		if err := l.append(path, note); err != nil {
			return err
		}
	}
	if !write {
		return nil
	}
	return l.append(path, line)
}

func (l *appLog) append(path string, line Line) error {
	raw, err := json.Marshal(line)
	if err != nil {
		return err
	}
	if l.file == nil {
		if l.file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
			return err
		}
		// A line that was torn by a crash ends here.
		if l.size, err = l.file.Seek(0, 2); err == nil && l.size > 0 {
			raw = append([]byte("\n"), raw...)
		}
	}
	n, err := l.file.Write(append(raw, '\n'))
	l.size += int64(n)
	if err != nil || l.size < maxFile {
		return err
	}
	file := l.file
	l.file, l.size = nil, 0
	return errors.Join(file.Close(), os.Rename(path, path+".1"))
}

// Tail returns the newest lines of an app, oldest first.
func (s *Store) Tail(app string, n int) ([]Line, error) {
	lines, _, err := s.Before(app, nil, n)
	return lines, err
}

// Find returns the lines of an app that are about a call, oldest first, at most n of them: the
// first ones and the last.
func (s *Store) Find(app, call string, n int) ([]Line, error) {
	found, err := s.read(app, []byte(call))
	var lines []Line
	for _, f := range found {
		if f.Call == call {
			lines = append(lines, f.Line)
		}
	}
	if len(lines) > n {
		lines = append(lines[:n-1], lines[len(lines)-1])
	}
	return lines, err
}

// read returns the lines of an app in which some bytes occur, oldest first.
func (s *Store) read(app string, with []byte) (lines []placed, err error) {
	files, err := s.contents(app)
	for _, raw := range files {
		file, offset := nameOf(raw), uint64(0)
		for text := range bytes.SplitSeq(raw, []byte("\n")) {
			l := placed{at: Place{file, offset}}
			offset += uint64(len(text)) + 1
			if bytes.Contains(text, with) && json.Unmarshal(text, &l.Line) == nil {
				lines = append(lines, l)
			}
		}
	}
	return lines, err
}

// contents reads the files of an app, the older one first. No file takes the place of the other
// between the two.
func (s *Store) contents(app string) (files [][]byte, err error) {
	l, path, err := s.open(app)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range []string{path + ".1", path} {
		raw, err := os.ReadFile(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files = append(files, raw)
	}
	return files, nil
}

// Erase removes an app's log. What is appended after it begins a new one.
func (s *Store) Erase(app string) error {
	l, path, err := s.open(app)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	if l.file != nil {
		errs = append(errs, l.file.Close())
		l.file, l.size = nil, 0
	}
	for _, p := range []string{path, path + ".1"} {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Size returns how many bytes an app's log has.
func (s *Store) Size(app string) (n int64) {
	path, err := s.path(app)
	if err != nil {
		return 0
	}
	for _, p := range []string{path, path + ".1"} {
		if info, err := os.Stat(p); err == nil {
			n += info.Size()
		}
	}
	return n
}
