package contexts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/agora-host/agora/internal/durable"
)

// Read reads the file. A file that is not there is an empty one.
func Read(path string) (File, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return File{}, nil
	}
	if err != nil {
		return File{}, fmt.Errorf("read your contexts: %w", err)
	}
	var kept struct {
		File
		// The one login that earlier versions kept.
		URL   string `json:"url"`
		Token string `json:"token"`
		User  string `json:"user"`
	}
	if err := json.Unmarshal(raw, &kept); err != nil {
		return File{}, fmt.Errorf("read your contexts in %s: %w (mend the file, or delete it and log in again)", path, err)
	}
	f := kept.File
	if len(f.Contexts) == 0 && kept.URL != "" {
		f = migrate(Context{URL: kept.URL, Token: kept.Token, User: kept.User})
	}
	return f, nil
}

// demoUser is the person of a demo node.
const demoUser = "you@agora.local"

// migrate makes a context of the one login of an earlier version. That of a demo node is named as
// such, so that the node's next start finds it again.
func migrate(c Context) (f File) {
	if c.User == demoUser {
		c.Name = demoName
	} else {
		c.Name = f.free(c)
	}
	return File{Current: c.Name, Contexts: []Context{c}}
}

// lockTimeout is how long a command waits for another that changes the file.
const lockTimeout = 10 * time.Second

// Update changes the file under a lock, in one step; if change returns an error, not at all.
func Update(path string, change func(*File) error) error {
	path, err := target(path)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep your contexts: %w", err)
	}
	unlock, err := lock(path + ".lock")
	if err != nil {
		return err
	}
	defer unlock()
	f, err := Read(path)
	if err != nil {
		return err
	}
	if err := change(&f); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("keep your contexts: %w", err)
	}
	if err := durable.Replace(dir, path, append(raw, '\n')); err != nil {
		return fmt.Errorf("keep your contexts: %w", err)
	}
	return nil
}

// target is the file itself, if the path is a link to it: a link is not replaced by a file.
func target(path string) (string, error) {
	to, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	if err != nil {
		return "", fmt.Errorf("keep your contexts: %w", err)
	}
	return to, nil
}

func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock your contexts: %w", err)
	}
	for deadline := time.Now().Add(lockTimeout); ; time.Sleep(10 * time.Millisecond) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil // which unlocks
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(deadline) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w (does another agora command hang?)", path, err)
		}
	}
}
