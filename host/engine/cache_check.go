package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/agora-host/agora/internal/storage"
)

// CheckCache reads every entry of a cache directory, which may be in use, and
// answers how many there are and which of them are damaged. A damaged one is
// never run: what it was made of is compiled again when it is next needed.
func CheckCache(ctx context.Context, dir string) (n int, damaged []error, err error) {
	key, err := os.ReadFile(filepath.Join(dir, "key"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil, nil // nothing was compiled here, or all of it will be again
	}
	if err != nil {
		return 0, nil, err
	}
	c := &cache{dir: dir}
	if err := c.useKey(key); err != nil {
		return 0, nil, err
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0, nil, err
	}
	for _, f := range files {
		name, lines := strings.CutSuffix(f.Name(), linesSuffix)
		if f.IsDir() || len(name) != 64 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return n, damaged, err
		}
		n++
		read := func() error { _, err := c.read(name); return err }
		if lines {
			read = func() error { _, err := c.lines(name); return err }
		}
		if err := read(); errors.Is(err, errTampered) || errors.Is(err, fs.ErrNotExist) {
			damaged = append(damaged, &storage.Damage{File: filepath.Join(dir, f.Name()), Detail: "is not what this node compiled: " + err.Error()})
		} else if err != nil {
			return n, damaged, err
		}
	}
	return n, damaged, nil
}
