package metering

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/agora-host/agora/metering/journal"
)

// Recall makes journals of all that were put away, so that the next Open brings
// them to the store once more. It is for a store that was replaced by an older
// copy: what such a store knows already stays as it is. Doing it again changes
// nothing. No Meter may be open.
func Recall(disk journal.FS) (n int, err error) {
	lock, err := disk.Lock()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	files, err := disk.List()
	if err != nil {
		return 0, fmt.Errorf("list the journals: %w", err)
	}
	for _, f := range files {
		number, numbered := epochOf(f.Name)
		switch name := plainName(f.Name); {
		case !numbered || strings.HasSuffix(f.Name, foreignExt):
			continue
		case strings.HasSuffix(name, keptExt):
			err = recall(disk, f.Name, journalName(number))
		case name != f.Name && strings.HasSuffix(name, journalExt):
			err = disk.Rename(f.Name, name) // it was counted up to the damage, and will be again
		default:
			continue
		}
		if err != nil {
			return n, fmt.Errorf("recall the journal %s: %w", f.Name, err)
		}
		n++
	}
	return n, disk.Sync()
}

// recall unpacks a journal, entirely or not at all. One that cannot be unpacked as
// a whole is set aside, and of it is counted what is legible.
func recall(disk journal.FS, from, to string) error {
	temp := to + tempExt
	if err := disk.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := disk.Create(temp)
	if err != nil {
		return err
	}
	broken, err := unpack(disk, from, out)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	if err := disk.Rename(temp, to); err != nil || !broken || plainName(from) != from {
		return err
	}
	return disk.Rename(from, from+damagedExt)
}

// unpack copies what a compressed file holds, and reports whether that ends before
// its end. An error is the disk's.
func unpack(disk journal.FS, from string, out journal.File) (broken bool, err error) {
	in, err := disk.Open(from)
	if err != nil {
		return false, err
	}
	defer in.Close()
	packed, err := gzip.NewReader(in)
	if err != nil {
		return true, nil
	}
	w := &sequential{file: out}
	_, err = io.Copy(w, packed)
	if w.err != nil {
		return false, w.err
	}
	return err != nil, nil
}
