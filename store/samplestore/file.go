package samplestore

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A file holds an hour: one sample a line, compressed.
const (
	fileLayout = "2006010215"
	fileExt    = ".jsonl.gz"
)

func (s *Store) path(at time.Time) string {
	return filepath.Join(s.dir, at.UTC().Format(fileLayout)+fileExt)
}

func (s *Store) writeFile(at time.Time, samples []Sample) error {
	var b bytes.Buffer
	zip, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // the level is one that exists
	lines := json.NewEncoder(zip)
	for i := range samples {
		if err := lines.Encode(&samples[i]); err != nil {
			return err
		}
	}
	if err := zip.Close(); err != nil {
		return err
	}
	temp := filepath.Join(s.dir, "."+at.UTC().Format(fileLayout)+".part")
	if err := os.WriteFile(temp, b.Bytes(), 0o600); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return os.Rename(temp, s.path(at))
}

// readFile reads an hour's samples of an app, or of all for "". No file is none.
func (s *Store) readFile(ctx context.Context, at time.Time, app string) ([]Sample, error) {
	f, err := os.Open(s.path(at))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("read the samples of %s: %w", at.Format(time.RFC3339), err)
	}
	name, _ := json.Marshal(app)
	start := append([]byte(`{"app":`), name...)
	var all []Sample
	lines := bufio.NewScanner(zip)
	for lines.Scan() && len(all) < maxApps*3*perKind {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if app != "" && !bytes.HasPrefix(lines.Bytes(), start) {
			continue
		}
		var v Sample
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			return nil, fmt.Errorf("read the samples of %s: %w", at.Format(time.RFC3339), err)
		}
		all = append(all, v)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the samples of %s: %w", at.Format(time.RFC3339), err)
	}
	return all, nil
}

// trim deletes the oldest files beyond the bounds.
func (s *Store) trim() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	slices.Reverse(entries) // newest first, by name
	var errs []error
	var files int
	var bytes int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !strings.HasSuffix(e.Name(), fileExt) {
			continue
		}
		files++
		if bytes += info.Size(); files > maxHours || bytes > maxBytes {
			errs = append(errs, os.Remove(filepath.Join(s.dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
