//go:build !linux

package journal

import (
	"os"
	"syscall"
)

func flock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

func datasync(f *os.File) error { return f.Sync() }

func uncache(*os.File) {}
