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

	"github.com/agora-host/agora/registry"
)

const (
	maxFile = 1 << 20
	maxRate = 200
)

// Line is one line of an app's log.
type Line struct {
	At      time.Time
	App     string
	Release int
	Level   string
	Source  string
	Message string
}

// Store is a directory of logs.
type Store struct {
	dir string
	now func() time.Time

	mu   sync.Mutex // guards logs
	logs map[string]*appLog
}

// appLog is one app's open file.
type appLog struct {
	mu      sync.Mutex // guards all below
	file    *os.File
	size    int64
	second  int64 // that is being counted
	written int   // in this second
	dropped int
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

// Append writes a line. Beyond maxRate lines in a second they are counted
// instead, and the count is written.
func (s *Store) Append(line Line) error {
	l, path, err := s.open(line.App)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if second := s.now().Unix(); second != l.second {
		dropped := l.dropped
		l.second, l.written, l.dropped = second, 0, 0
		if dropped > 0 {
			note := line
			note.Level, note.Source, note.Message = "warn", "node", fmt.Sprintf("%d lines were dropped: more than %d in a second", dropped, maxRate)
			if err := l.append(path, note); err != nil {
				return err
			}
		}
	}
	if l.written++; l.written > maxRate {
		l.dropped++
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

// Tail answers the newest lines of an app, oldest first.
func (s *Store) Tail(app string, n int) ([]Line, error) {
	path, err := s.path(app)
	if err != nil {
		return nil, err
	}
	var lines []Line
	for _, p := range []string{path + ".1", path} {
		raw, err := os.ReadFile(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for text := range bytes.SplitSeq(raw, []byte("\n")) {
			var l Line
			if json.Unmarshal(text, &l) == nil {
				lines = append(lines, l)
			}
		}
	}
	return lines[max(0, len(lines)-n):], nil
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
