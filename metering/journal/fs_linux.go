package journal

import (
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func flock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// datasync leaves out times, which no one needs.
func datasync(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

// uncached reads what is on the disk: it drops clean pages first, since after a
// sync that failed they may hold what the disk does not. It drops what it has read,
// too: a gigabyte that is read once needs no room in the cache, and to find room
// takes longer than to read.
func uncached(f *os.File) io.ReadCloser {
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	return &dropping{file: f}
}

const dropEvery = 8 << 20

type dropping struct {
	file          *os.File
	read, dropped int64 // up to where
}

func (d *dropping) Read(p []byte) (int, error) {
	n, err := d.file.Read(p)
	if d.read += int64(n); d.read-d.dropped >= dropEvery {
		_ = unix.Fadvise(int(d.file.Fd()), d.dropped, d.read-d.dropped, unix.FADV_DONTNEED)
		d.dropped = d.read
	}
	return n, err
}

func (d *dropping) Close() error { return d.file.Close() }
