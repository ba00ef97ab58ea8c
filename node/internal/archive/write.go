package archive

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// manifestName is the last member.
const manifestName = "MANIFEST.json"

// format is the version of the manifest.
const format = 1

// Manifest says what an archive holds.
type Manifest struct {
	Format  int       `json:"format"`
	Made    time.Time `json:"made"`
	Version string    `json:"version"` // of the agora that made it
	Members []Member  `json:"members"` // in their order
}

// Size is how many bytes the members have together.
func (m Manifest) Size() (n int64) {
	for _, member := range m.Members {
		n += member.Size
	}
	return n
}

// Member is one file.
type Member struct {
	Name   string `json:"name"` // with slashes, relative
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex
}

// Writer writes an archive.
type Writer struct {
	tar      *tar.Writer
	zip      *gzip.Writer
	manifest Manifest
}

// NewWriter begins an archive. made and version describe it.
func NewWriter(w io.Writer, made time.Time, version string) *Writer {
	zip, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is one that exists
	return &Writer{tar.NewWriter(zip), zip, Manifest{Format: format, Made: made.UTC().Truncate(time.Second), Version: version, Members: []Member{}}}
}

// Add appends a file of exactly size bytes, which write writes.
func (w *Writer) Add(name string, size int64, write func(io.Writer) error) error {
	if err := validName(name); err != nil {
		return err
	}
	sum := sha256.New()
	if err := w.begin(name, size); err != nil {
		return err
	}
	if err := write(io.MultiWriter(w.tar, sum)); err != nil {
		return fmt.Errorf("add %s: %w", name, err)
	}
	w.manifest.Members = append(w.manifest.Members, Member{name, size, hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// AddFile appends a file as long as it is now; what it grows by meanwhile is left
// out. through, if not nil, stands between.
func (w *Writer) AddFile(name, path string, through func(io.Writer) io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return w.Add(name, info.Size(), func(to io.Writer) error {
		if through != nil {
			to = through(to)
		}
		_, err := io.CopyN(to, f, info.Size())
		return err
	})
}

func (w *Writer) begin(name string, size int64) error {
	return w.tar.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, Typeflag: tar.TypeReg, ModTime: w.manifest.Made, Format: tar.FormatPAX})
}

// Close appends the manifest and ends the archive.
func (w *Writer) Close() error {
	raw, err := json.MarshalIndent(w.manifest, "", " ")
	if err != nil {
		return err
	}
	if err := w.begin(manifestName, int64(len(raw))); err != nil {
		return err
	}
	_, err = w.tar.Write(raw)
	return errors.Join(err, w.tar.Close(), w.zip.Close())
}
