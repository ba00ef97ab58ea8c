package metering

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"

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
		epoch, _, ok := keptSince(f.Name)
		if !ok {
			continue
		}
		if err := recall(disk, f.Name, journalName(epoch)); err != nil {
			return n, fmt.Errorf("recall the journal %s: %w", f.Name, err)
		}
		n++
	}
	return n, disk.Sync()
}

// recall unpacks a journal, entirely or not at all.
func recall(disk journal.FS, from, to string) error {
	in, err := disk.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	packed, err := gzip.NewReader(in)
	if err != nil {
		return err
	}
	temp := to + tempExt
	if err := disk.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := disk.Create(temp)
	if err != nil {
		return err
	}
	_, err = io.Copy(&sequential{file: out}, packed)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	return disk.Rename(temp, to)
}
