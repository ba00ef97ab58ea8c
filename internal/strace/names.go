package strace

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/agora-host/agora/internal/crashdisk"
)

// absolute is a path that a call names, with the descriptor it is relative to.
func (p *Player) absolute(q *process, dirfd, arg string) (string, error) {
	raw, err := bytesOf(arg)
	if err != nil {
		return "", err
	}
	path := string(raw)
	if filepath.IsAbs(path) {
		return filepath.Clean(path), nil
	}
	if dirfd == "AT_FDCWD" {
		return filepath.Join(q.cwd, path), nil
	}
	d := q.fds[arguments{[]string{dirfd}}.number(0)]
	if d == nil {
		return "/elsewhere/" + path, nil // a directory that is not in this one
	}
	if d.dir == nil {
		return "", fmt.Errorf("%s is no directory", d.path)
	}
	return filepath.Join(p.Dir, d.path, path), nil
}

func (p *Player) below(path string) bool {
	return path == p.Dir || strings.HasPrefix(path, p.Dir+"/")
}

// place is where a path below Dir leads: a directory and a name in it. The
// directory itself is its own ".".
func (p *Player) place(path string) (*crashdisk.Dir, string, error) {
	rest := strings.TrimPrefix(strings.TrimPrefix(path, p.Dir), "/")
	dir := p.Disk.Root
	if rest == "" {
		return dir, ".", nil
	}
	parts := strings.Split(rest, "/")
	for _, name := range parts[:len(parts)-1] {
		next, ok := dir.Node(name).(*crashdisk.Dir)
		if !ok {
			return nil, "", fmt.Errorf("%s: the record makes no directory %q", path, name)
		}
		dir = next
	}
	return dir, parts[len(parts)-1], nil
}

func (p *Player) open(q *process, args arguments, flags string, fd int) (touched bool, err error) {
	delete(q.fds, fd)
	path, err := p.absolute(q, args.text(0), args.text(1))
	if err != nil || !p.below(path) {
		return false, err
	}
	dir, name, err := p.place(path)
	if err != nil {
		return false, err
	}
	node := dir.Node(name)
	if name == "." {
		node = dir
	}
	// A directory that is opened as a place alone is like any other; a file could be given a name by it.
	if _, isDir := node.(*crashdisk.Dir); flag(flags, "O_TMPFILE") || flag(flags, "O_PATH") && !isDir {
		return false, errUnplayed
	}
	d := &descriptor{&opened{path: strings.TrimPrefix(strings.TrimPrefix(path, p.Dir), "/"), append: flag(flags, "O_APPEND")}, flag(flags, "O_CLOEXEC")}
	q.fds[fd] = d
	switch n := node.(type) {
	case *crashdisk.Dir:
		d.dir = n
	case *crashdisk.File:
		d.file = n
		if flag(flags, "O_TRUNC") {
			n.Truncate(0).End()
		}
	default:
		if !flag(flags, "O_CREAT") {
			return false, fmt.Errorf("the record makes no file %q", d.path)
		}
		d.file = crashdisk.NewFile(nil)
		return true, dir.Link(name, d.file)
	}
	return flag(flags, "O_TRUNC"), nil
}

// rename plays the calls that change names.
func (p *Player) rename(q *process, call string, args arguments) (touched bool, err error) {
	call, at := strings.CutSuffix(strings.TrimSuffix(call, "2"), "at")
	list := args.args
	if !at { // the same, relative to the working directory
		list = []string{"AT_FDCWD", args.text(0), "AT_FDCWD", args.text(1)}
	}
	full := arguments{list}
	path, err := p.absolute(q, full.text(0), full.text(1))
	if err != nil {
		return false, err
	}
	if call == "rename" || call == "link" {
		to, err := p.absolute(q, full.text(2), full.text(3))
		if err != nil || !p.below(path) && !p.below(to) {
			return false, err
		}
		if !p.below(path) || !p.below(to) {
			return false, errUnplayed // half of it is elsewhere
		}
		return true, p.give(call, path, to)
	}
	if !p.below(path) {
		return false, nil
	}
	dir, name, err := p.place(path)
	switch {
	case err != nil:
		return false, err
	case call == "mkdir" && name == ".":
		return false, nil // the disk has it from the beginning
	case call == "mkdir":
		return true, dir.Link(name, p.Disk.NewDir())
	default:
		return true, dir.Unlink(name)
	}
}

func (p *Player) give(call, path, to string) error {
	dir, name, err := p.place(path)
	if err != nil {
		return err
	}
	into, as, err := p.place(to)
	if err != nil {
		return err
	}
	if call == "rename" {
		return dir.Rename(name, into, as)
	}
	n, ok := dir.Node(name).(*crashdisk.File)
	if !ok {
		return fmt.Errorf("the record makes no file %q", path)
	}
	return into.Link(as, n)
}
