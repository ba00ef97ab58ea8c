package archive

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// ErrDamaged: the archive is not complete, or holds something else than was put in.
var ErrDamaged = errors.New("the backup is damaged")

// Limits bound what an archive may hold.
type Limits struct {
	Bytes   int64 // of all members
	Members int
}

const maxManifest = 256 << 20

// Read reads a whole archive. each is given every member but the manifest, and
// may leave bytes unread; what it reads has not been checked yet. Only when Read
// returns nil was all of it what the manifest says.
func Read(r io.Reader, limit Limits, each func(name string, size int64, r io.Reader) error) (Manifest, error) {
	br := bufio.NewReader(r)
	zip, err := gzip.NewReader(br)
	if err != nil {
		return Manifest{}, damaged(err)
	}
	zip.Multistream(false)
	in := &reader{tar: tar.NewReader(zip), limit: limit, names: map[string]bool{}}
	manifest, err := in.members(each)
	if err != nil {
		return manifest, err
	}
	if _, err := in.tar.Next(); !errors.Is(err, io.EOF) {
		return manifest, fmt.Errorf("%w: something follows its manifest", ErrDamaged)
	}
	// The end of the stream carries its checksum.
	if n, err := io.Copy(io.Discard, io.LimitReader(zip, 1<<20)); err != nil || n == 1<<20 {
		return manifest, damaged(errors.Join(err, errors.New("it does not end")))
	}
	if _, err := br.ReadByte(); !errors.Is(err, io.EOF) {
		return manifest, fmt.Errorf("%w: something follows its end", ErrDamaged)
	}
	return manifest, nil
}

type reader struct {
	tar   *tar.Reader
	limit Limits
	names map[string]bool
	found []Member
	bytes int64
}

// members reads up to the manifest, and compares.
func (r *reader) members(each func(string, int64, io.Reader) error) (Manifest, error) {
	for {
		h, err := r.tar.Next()
		if err != nil {
			return Manifest{}, damaged(err)
		}
		if h.Typeflag != tar.TypeReg {
			return Manifest{}, fmt.Errorf("%w: %q is no plain file", ErrDamaged, h.Name)
		}
		if h.Name == manifestName {
			return r.manifest(h.Size)
		}
		if err := r.admit(h.Name, h.Size); err != nil {
			return Manifest{}, err
		}
		sum := sha256.New()
		body := &failing{r: io.TeeReader(r.tar, sum)}
		if err := each(h.Name, h.Size, body); err != nil {
			if body.err != nil {
				err = damaged(body.err)
			}
			return Manifest{}, err
		}
		if _, err := io.Copy(sum, r.tar); err != nil { // what each left unread
			return Manifest{}, damaged(err)
		}
		r.found = append(r.found, Member{h.Name, h.Size, hex.EncodeToString(sum.Sum(nil))})
	}
}

// failing keeps a failure of the stream apart from one of who reads it.
type failing struct {
	r   io.Reader
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

func (r *reader) admit(name string, size int64) error {
	if err := validName(name); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	// File systems that ignore case would make one file of two.
	folded := strings.ToLower(name)
	if r.names[folded] {
		return fmt.Errorf("%w: %q is in it twice", ErrDamaged, name)
	}
	r.names[folded] = true
	if len(r.names) > r.limit.Members {
		return fmt.Errorf("%w: it holds more than %d files", ErrDamaged, r.limit.Members)
	}
	if size < 0 || size > r.limit.Bytes-r.bytes {
		return fmt.Errorf("%w: it holds more than %d bytes", ErrDamaged, r.limit.Bytes)
	}
	r.bytes += size
	return nil
}

func (r *reader) manifest(size int64) (m Manifest, err error) {
	if size > maxManifest {
		return m, fmt.Errorf("%w: its manifest has %d bytes", ErrDamaged, size)
	}
	raw, err := io.ReadAll(r.tar)
	if err == nil {
		err = json.Unmarshal(raw, &m)
	}
	if err != nil {
		return m, damaged(err)
	}
	if m.Format > format {
		return m, fmt.Errorf("the backup was made by a newer agora (%s): use that one", m.Version)
	}
	if len(m.Members) != len(r.found) {
		return m, fmt.Errorf("%w: it holds %d files, and should hold %d", ErrDamaged, len(r.found), len(m.Members))
	}
	for i, member := range m.Members {
		if member != r.found[i] {
			return m, fmt.Errorf("%w: %q is not what was put in", ErrDamaged, member.Name)
		}
	}
	return m, nil
}

// validName takes plain relative paths: nothing that leads out of a directory,
// on any system.
func validName(name string) error {
	if !fs.ValidPath(name) || name == "." || name == manifestName || len(name) > 512 || strings.ContainsAny(name, "\\:\x00") {
		return fmt.Errorf("%q is no name of a file in a backup", name)
	}
	return nil
}

func damaged(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends too early", ErrDamaged)
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}
