package static

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Section is the name of the custom section.
const Section = "agora:static"

// Bounds of an archive: files, bytes of one and of all when unpacked, and bytes
// of a name.
const (
	MaxFiles = 2000
	MaxFile  = 8 << 20
	MaxTotal = 32 << 20
	MaxName  = 200
)

// ErrBadArchive: the archive cannot be used.
var ErrBadArchive = errors.New("the static files are not valid")

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBadArchive, fmt.Sprintf(format, args...))
}

// File is one file of an archive.
type File struct {
	Name string // "css/site.css"
	Size int64
	Sum  string // SHA-256, hex
	crc  uint32
	raw  []byte // as stored: deflated, or not
	flat bool   // raw is not deflated
}

// Archive is what was packed, by name.
type Archive struct {
	files map[string]*File
	size  int64
}

// File finds a file by its name.
func (a *Archive) File(name string) (*File, bool) {
	f, ok := a.files[name]
	return f, ok
}

// Len is how many files there are.
func (a *Archive) Len() int { return len(a.files) }

// Size is what the archive keeps in memory, in bytes, about.
func (a *Archive) Size() int64 { return a.size }

// wellKnown is where RFC 8615 has files that others look for: the only name with a dot that the
// public is to read.
const wellKnown = ".well-known"

// Pack reads a directory. Files and directories whose names begin with a dot are left out, but for
// .well-known/, and returned in left, directories with a slash at their ends; links and other
// things that are no files are refused.
func Pack(dir fs.FS) (archive []byte, left []string, err error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	files, total := 0, int64(0)
	err = fs.WalkDir(dir, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(path.Base(name), ".") && name != "." && (name != wellKnown || !entry.IsDir()):
			if entry.IsDir() {
				left = append(left, name+"/")
				return fs.SkipDir
			}
			left = append(left, name)
			return nil
		case entry.IsDir():
			return nil
		case !entry.Type().IsRegular():
			return bad("%s is a link or a device: put the file itself there", name)
		}
		content, err := fs.ReadFile(dir, name)
		if err != nil {
			return err
		}
		files++
		total += int64(len(content))
		if err := check(name, files, int64(len(content)), total); err != nil {
			return err
		}
		return add(w, name, content)
	})
	if err != nil {
		return nil, nil, err
	}
	if err := w.Close(); err != nil {
		return nil, nil, err
	}
	return b.Bytes(), left, nil
}

func check(name string, files int, size, total int64) error {
	switch {
	case !fs.ValidPath(name) || name == "." || len(name) > MaxName || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == '\uFFFD' }):
		return bad("%.100q is no name of a file", name)
	case files > MaxFiles:
		return bad("there are more than %d files", MaxFiles)
	case size > MaxFile:
		return bad("%s has %d bytes, more than %d", name, size, MaxFile)
	case total > MaxTotal:
		return bad("the files have more than %d bytes together", MaxTotal)
	}
	return nil
}

// add writes a file without a time, deflated if that makes it smaller.
func add(w *zip.Writer, name string, content []byte) error {
	var packed bytes.Buffer
	f, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, CRC32: crc32.ChecksumIEEE(content), UncompressedSize64: uint64(len(content))}
	body := packed.Bytes()
	if len(body)+18 >= len(content) {
		h.Method, body = zip.Store, content
	}
	h.CompressedSize64 = uint64(len(body))
	raw, err := w.CreateRaw(h)
	if err != nil {
		return err
	}
	_, err = raw.Write(body)
	return err
}

// Open reads an archive, all of it. What it keeps aliases b.
func Open(b []byte) (*Archive, error) {
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, bad("%v", err)
	}
	a := &Archive{files: map[string]*File{}, size: int64(len(b))}
	var total int64
	for _, entry := range r.File {
		if entry.UncompressedSize64 > MaxFile {
			return nil, bad("%.100q has %d bytes, more than %d", entry.Name, entry.UncompressedSize64, MaxFile)
		}
		total += int64(entry.UncompressedSize64)
		if err := check(entry.Name, len(a.files)+1, int64(entry.UncompressedSize64), total); err != nil {
			return nil, err
		}
		if a.files[entry.Name] != nil {
			return nil, bad("%s is there twice", entry.Name)
		}
		if a.files[entry.Name], err = open(b, entry); err != nil {
			return nil, err
		}
		a.size += int64(len(entry.Name)) + 300
	}
	return a, nil
}

func open(b []byte, entry *zip.File) (*File, error) {
	if entry.Method != zip.Deflate && entry.Method != zip.Store || entry.Flags&1 != 0 || !entry.Mode().IsRegular() {
		return nil, bad("%s is packed in a way that is not read", entry.Name)
	}
	offset, err := entry.DataOffset()
	size := int64(entry.CompressedSize64)
	if err != nil || size < 0 || offset < 0 || offset > int64(len(b)) || size > int64(len(b))-offset {
		return nil, bad("%s lies outside the archive", entry.Name)
	}
	raw := bytes.NewReader(b[offset : offset+size])
	content := io.Reader(raw)
	if entry.Method == zip.Deflate {
		content = flate.NewReader(raw)
	}
	// It is served as it is stored: so it has to be all of what is stored, too.
	sum, crc := sha256.New(), crc32.NewIEEE()
	n, err := io.Copy(io.MultiWriter(sum, crc), io.LimitReader(content, int64(entry.UncompressedSize64)+1))
	if err != nil || n != int64(entry.UncompressedSize64) || crc.Sum32() != entry.CRC32 || raw.Len() > 0 {
		return nil, bad("%s is damaged", entry.Name)
	}
	return &File{
		Name: entry.Name, Size: n, Sum: hex.EncodeToString(sum.Sum(nil)), crc: entry.CRC32,
		raw: slices.Clip(b[offset : offset+size]), flat: entry.Method == zip.Store,
	}, nil
}
