package logstore_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/store/logstore"
)

func TestLogs(t *testing.T) {
	dir, now := t.TempDir(), time.Unix(1_770_000_000, 0)
	s, err := logstore.Open(dir, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	write := func(app, message string) {
		t.Helper()
		if err := s.Append(logstore.Line{At: now, App: app, Level: "info", Message: message}); err != nil {
			t.Fatal(err)
		}
	}
	for range 500 { // a flood
		write("a", "line\nof two")
	}
	now = now.Add(time.Second)
	write("a", "last")
	lines, err := s.Tail("a", 1000)
	if err != nil || len(lines) != 202 || lines[201].Message != "last" || !strings.Contains(lines[200].Message, "300 lines were dropped") {
		t.Fatalf("%d lines, %v; the last: %+v", len(lines), err, lines[max(0, len(lines)-2):])
	}
	if lines, err := s.Tail("b", 10); err != nil || len(lines) != 0 {
		t.Errorf("another app's log: %v, %v", lines, err)
	}
	if _, err := s.Tail("../a", 10); err == nil {
		t.Error("a path for a name")
	}
	// Two files of a bounded size, whatever is written.
	for range 60 {
		now = now.Add(time.Second)
		for range 20 {
			write("big", strings.Repeat("x", 4000))
		}
	}
	files, _ := filepath.Glob(filepath.Join(dir, "big*"))
	total := int64(0)
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if len(files) > 2 || total > 2<<20+8<<10 {
		t.Errorf("%d files, %d bytes", len(files), total)
	}
	// A line that a crash tore is skipped, and the next is whole.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "a.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"At":"2026`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if s, err = logstore.Open(dir, func() time.Time { return now }); err != nil {
		t.Fatal(err)
	}
	write("a", "after the crash")
	if lines, err := s.Tail("a", 1); err != nil || len(lines) != 1 || lines[0].Message != "after the crash" {
		t.Errorf("%+v, %v", lines, err)
	}
}
