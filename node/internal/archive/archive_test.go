package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/node/internal/archive"
)

var limits = archive.Limits{Bytes: 1 << 20, Members: 10}

func write(t testing.TB, members map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := archive.NewWriter(&b, time.Unix(1_770_000_000, 0), "test")
	for name, text := range members {
		if err := w.Add(name, int64(len(text)), func(w io.Writer) error { _, err := io.WriteString(w, text); return err }); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(b []byte) (map[string]string, error) {
	found := map[string]string{}
	_, err := archive.Read(bytes.NewReader(b), limits, func(name string, _ int64, r io.Reader) error {
		text, err := io.ReadAll(r)
		found[name] = string(text)
		return err
	})
	return found, err
}

func TestArchive(t *testing.T) {
	members := map[string]string{"agora.db": "state", "blobs/sha256/ab/cd": strings.Repeat("x", 100_000), "empty": ""}
	b := write(t, members)
	if found, err := read(b); err != nil || !maps.Equal(found, members) {
		t.Fatalf("%v", err)
	}
	// Whoever reads nothing of a member has checked it all the same.
	if m, err := archive.Read(bytes.NewReader(b), limits, func(string, int64, io.Reader) error { return nil }); err != nil || len(m.Members) != 3 || m.Size() != 100_005 {
		t.Fatalf("%+v, %v", m, err)
	}
	for i := range b {
		if found, err := read(b[:i]); err == nil {
			t.Fatalf("cut to %d of %d bytes, it is read as %d members", i, len(b), len(found))
		}
		flipped := bytes.Clone(b)
		flipped[i] ^= 0x10
		if found, err := read(flipped); err == nil && !maps.Equal(found, members) {
			t.Fatalf("with byte %d flipped, it is read as something else", i)
		}
	}
	if _, err := read(append(bytes.Clone(b), 0)); !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("with a byte more: %v", err)
	}
}

// TestHostileArchives: what no one of ours would write.
func TestHostileArchives(t *testing.T) {
	// pack is an archive whose manifest is right, so that what is refused is refused
	// for what else is wrong.
	packed := func(change func(*archive.Manifest), headers ...tar.Header) []byte {
		var b bytes.Buffer
		zip := gzip.NewWriter(&b)
		w := tar.NewWriter(zip)
		m := archive.Manifest{Format: 1}
		for _, h := range headers {
			if h.Typeflag == 0 {
				h.Typeflag = tar.TypeReg
			}
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
			sum := sha256.New()
			if _, err := io.CopyN(io.MultiWriter(w, sum), zeros{}, h.Size); err != nil {
				t.Fatal(err)
			}
			m.Members = append(m.Members, archive.Member{Name: h.Name, Size: h.Size, SHA256: hex.EncodeToString(sum.Sum(nil))})
		}
		if change != nil {
			change(&m)
		}
		raw, _ := json.Marshal(m)
		if err := w.WriteHeader(&tar.Header{Name: "MANIFEST.json", Typeflag: tar.TypeReg, Size: int64(len(raw))}); err != nil {
			t.Fatal(err)
		}
		_, err := w.Write(raw)
		if err := errors.Join(err, w.Close(), zip.Close()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	pack := func(headers ...tar.Header) []byte { return packed(nil, headers...) }
	good := tar.Header{Name: "a", Size: 10}
	if _, err := read(pack(good)); err != nil {
		t.Fatalf("what is right is refused: %v", err)
	}
	for name, b := range map[string][]byte{
		"climbs":             pack(tar.Header{Name: "../agora.db"}),
		"climbs inside":      pack(tar.Header{Name: "blobs/../../x"}),
		"absolute":           pack(tar.Header{Name: "/etc/passwd"}),
		"drive":              pack(tar.Header{Name: "C:x"}),
		"backslash":          pack(tar.Header{Name: `a\..\b`}),
		"link":               pack(tar.Header{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "/etc"}),
		"hard link":          pack(tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "b"}),
		"device":             pack(tar.Header{Name: "a", Typeflag: tar.TypeChar}),
		"directory":          pack(tar.Header{Name: "a/", Typeflag: tar.TypeDir}),
		"twice":              pack(tar.Header{Name: "a"}, tar.Header{Name: "a"}),
		"twice but for case": pack(tar.Header{Name: "a"}, tar.Header{Name: "A"}),
		"bomb":               pack(tar.Header{Name: "a", Size: 2 << 20}),
		"bomb in parts":      pack(tar.Header{Name: "a", Size: 600_000}, tar.Header{Name: "b", Size: 600_000}),
		"a manifest within":  pack(tar.Header{Name: "MANIFEST.json"}),
		"another digest":     packed(func(m *archive.Manifest) { m.Members[0].SHA256 = strings.Repeat("0", 64) }, good),
		"another name":       packed(func(m *archive.Manifest) { m.Members[0].Name = "b" }, good),
		"one is missing":     packed(func(m *archive.Manifest) { m.Members = append(m.Members, archive.Member{Name: "b"}) }, good),
		"one is not listed":  packed(func(m *archive.Manifest) { m.Members = nil }, good),
		"no archive":         []byte("hello"),
	} {
		if found, err := read(b); !errors.Is(err, archive.ErrDamaged) {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestGrowingFile: what a file grows by while it is read is left out.
func TestGrowingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := archive.NewWriter(&b, time.Now(), "test")
	if err := errors.Join(w.AddFile("x", path, nil), w.Close()); err != nil {
		t.Fatal(err)
	}
	if found, err := read(b.Bytes()); err != nil || found["x"] != "abc" {
		t.Errorf("%v, %v", found, err)
	}
	if err := w.Add("../x", 0, nil); err == nil {
		t.Error("a name that leads out was taken")
	}
}

// FuzzArchive: whatever the bytes are, reading them ends, within its limits.
func FuzzArchive(f *testing.F) {
	f.Add(write(f, map[string]string{"a": "b"}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		_, err := archive.Read(bytes.NewReader(b), limits, func(_ string, _ int64, r io.Reader) error {
			text, err := io.ReadAll(r)
			n += len(text)
			return err
		})
		if n > 1<<20 {
			t.Fatalf("%d bytes were read", n)
		}
		if err == nil && n == 0 {
			t.Skip()
		}
	})
}
