package boltstore

import (
	"context"
	"time"

	"github.com/agora-host/agora/store/boltstore/checked"
)

// Verify reads the whole file of a store that no process has open, see checked.Verify.
func Verify(path string, rest func() error) []error { return checked.Verify(path, storeShape, rest) }

// VerifyKV is Verify for the apps' data.
func VerifyKV(path string, rest func() error) []error { return checked.Verify(path, kvShape, rest) }

// VerifyQueue is Verify for what waits to be delivered.
func VerifyQueue(path string, rest func() error) []error {
	return checked.Verify(path, queueShape, rest)
}

// Inspect reads the file of a store that no process has open, see checked.Inspect. read reads the
// store, and must not change it.
func Inspect(path string, now func() time.Time, read func(*Store) error) error {
	return checked.Inspect(path, storeShape, func(f *checked.File) error { return read(&Store{file: f, now: now}) })
}

// InspectKV is Inspect for the apps' data.
func InspectKV(path string, now func() time.Time, read func(*KV) error) error {
	return checked.Inspect(path, kvShape, func(f *checked.File) error { return read(&KV{file: f, now: now}) })
}

// Check reads the whole file as it is at this moment, see checked.File.
func (s *Store) Check(ctx context.Context) []error { return s.file.Check(ctx) }

// Check is Store.Check for the apps' data.
func (s *KV) Check(ctx context.Context) []error { return s.file.Check(ctx) }

// Check is Store.Check for what waits to be delivered.
func (q *Queue) Check(ctx context.Context) []error { return q.file.Check(ctx) }

// Copy copies the file as it is at this moment, see checked.File.
func (s *Store) Copy(ctx context.Context, take checked.CopyFunc) error { return s.file.Copy(ctx, take) }

// Copy is Store.Copy for the apps' data.
func (s *KV) Copy(ctx context.Context, take checked.CopyFunc) error { return s.file.Copy(ctx, take) }

// Copy is Store.Copy for what waits to be delivered.
func (q *Queue) Copy(ctx context.Context, take checked.CopyFunc) error { return q.file.Copy(ctx, take) }

// Scrub overwrites what was deleted before, see checked.File.
func (s *Store) Scrub(ctx context.Context) error { return s.file.Scrub(ctx) }

// Scrub is Store.Scrub for the apps' data.
func (s *KV) Scrub(ctx context.Context) error { return s.file.Scrub(ctx) }

// Scrub is Store.Scrub for what waits to be delivered.
func (q *Queue) Scrub(ctx context.Context) error { return q.file.Scrub(ctx) }
