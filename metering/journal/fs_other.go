//go:build !linux

package journal

import (
	"io"
	"os"
	"syscall"
)

func flock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

func datasync(f *os.File) error { return f.Sync() }

func uncached(f *os.File) io.ReadCloser { return f }
