package metering_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/journal"
	"github.com/agora-host/agora/metering/meteringtest"
)

// slowDisk is a disk whose files sync when they are let.
type slowDisk struct {
	journal.FS
	let chan struct{} // closed: at once
}

func (d *slowDisk) Create(name string) (journal.File, error) {
	f, err := d.FS.Create(name)
	return &slowFile{f, d}, err
}

type slowFile struct {
	journal.File
	disk *slowDisk
}

func (f *slowFile) Sync() error {
	<-f.disk.let
	return f.File.Sync()
}

// TestDiskThatHangs: while a sync hangs, who waits for it waits, and no other
// begins. When the disk is back, so is everything.
func TestDiskThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		machine, w := meteringtest.NewMachine(1), &wall{now: hour}
		o := options(machine, w)
		disk := &slowDisk{FS: o.FS, let: make(chan struct{})}
		o.FS = disk
		close(disk.let)
		m, err := metering.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		disk.let = make(chan struct{})
		waits := make(chan error)
		go func() { waits <- m.Record(call("a", "")) }()
		time.Sleep(4 * time.Second)
		if err := m.Ready(); err != nil {
			t.Errorf("a disk that is slow: %v", err)
		}
		time.Sleep(2 * time.Second)
		if err := m.Ready(); !errors.Is(err, metering.ErrUnmetered) {
			t.Errorf("a disk that hangs: %v", err)
		}
		select {
		case err := <-waits:
			t.Fatalf("answered before it was durable: %v", err)
		default:
		}
		close(disk.let)
		if err := <-waits; err != nil {
			t.Errorf("when the disk is back: %v", err)
		}
		if err := m.Ready(); err != nil {
			t.Errorf("when the disk is back: %v", err)
		}
		if got := report(t, m, all()).Total.Calls; got != 1 {
			t.Errorf("%d calls are billed", got)
		}
		if err := m.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
