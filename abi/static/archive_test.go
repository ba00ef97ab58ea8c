package static_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/agora-host/agora/abi/static"
)

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

var site = fstest.MapFS{
	"index.html":  {Data: []byte(strings.Repeat("<p>hello</p>\n", 100))},
	"css/a b.css": {Data: []byte("p{}")},
	"img/x.png":   {Data: random(5000)},
	"empty.txt":   {},
	".git/config": {Data: []byte("secret")},
	"img/.DS":     {Data: []byte("secret")},
	".env":        {Data: []byte("secret")},

	".well-known/security.txt": {Data: []byte("Contact: x")},
	".well-known/acme/token":   {Data: []byte("token")},
	".well-known/.git/config":  {Data: []byte("secret")},
	"img/.well-known/x":        {Data: []byte("secret")}, // only at the root
	"ü/größe.html":             {Data: []byte("ü")},
}

func TestPackAndOpen(t *testing.T) {
	b, left, err := static.Pack(site)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(left, " "); got != ".env .git/ .well-known/.git/ img/.DS img/.well-known/" {
		t.Errorf("left out: %s", got)
	}
	again, _, err := static.Pack(maps.Clone(site))
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("packed again, it is another archive: %v", err)
	}
	a, err := static.Open(b)
	if err != nil || a.Len() != 7 {
		t.Fatalf("%d files, %v", a.Len(), err)
	}
	for name, want := range site {
		f, ok := a.File(name)
		if hidden := string(want.Data) == "secret"; hidden == ok {
			t.Errorf("%s: %v", name, ok)
		}
		if !ok {
			continue
		}
		got, err := io.ReadAll(f.Open())
		if err != nil || !bytes.Equal(got, want.Data) || f.Size != int64(len(want.Data)) || len(f.Sum) != 64 {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
		if packed, ok := f.OpenGzip(); ok {
			if err := iotest.TestReader(packed, packedBytes(t, f)); err != nil {
				t.Errorf("%s in gzip: %v", name, err)
			}
			r, err := gzip.NewReader(bytes.NewReader(packedBytes(t, f)))
			if err != nil {
				t.Fatal(err)
			}
			plain, err := io.ReadAll(r)
			if size, _ := packed.Seek(0, io.SeekEnd); err != nil || !bytes.Equal(plain, want.Data) || size != f.GzipSize() {
				t.Errorf("%s in gzip: %v", name, err)
			}
		} else if name == "index.html" {
			t.Error("text is not compressed")
		}
	}
}

func packedBytes(t *testing.T, f *static.File) []byte {
	t.Helper()
	r, _ := f.OpenGzip()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestReader reads files piece by piece and from everywhere, as ranges do.
func TestReader(t *testing.T) {
	b, _, err := static.Pack(site)
	if err != nil {
		t.Fatal(err)
	}
	a, err := static.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range site {
		f, ok := a.File(name)
		if !ok {
			continue
		}
		r := f.Open()
		if err := iotest.TestReader(r, want.Data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if n, err := r.Read(make([]byte, 1)); err == nil || n > 0 {
			t.Errorf("%s: it can be read after it was closed", name)
		}
	}
}

// TestReadersShare: readers at once are each right, whoever used their window before.
func TestReadersShare(t *testing.T) {
	b, _, err := static.Pack(site)
	if err != nil {
		t.Fatal(err)
	}
	a, err := static.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 50 {
				for _, name := range []string{"index.html", "img/x.png"} {
					f, _ := a.File(name)
					r := f.Open()
					from := int64(i * 100)
					_, _ = r.Seek(from, io.SeekStart)
					got := make([]byte, 400)
					_, err := io.ReadFull(r, got)
					if err != nil || !bytes.Equal(got, site[name].Data[from:from+400]) {
						t.Errorf("%s from %d: %v", name, from, err)
					}
					_ = r.Close()
				}
			}
		})
	}
	group.Wait()
}

func TestPackRefuses(t *testing.T) {
	for what, files := range map[string]fstest.MapFS{
		"a large file":   {"a": {Data: make([]byte, static.MaxFile+1)}},
		"much together":  {"a": {Data: make([]byte, static.MaxFile)}, "b": {Data: make([]byte, static.MaxFile)}, "c": {Data: make([]byte, static.MaxFile)}, "d": {Data: make([]byte, static.MaxFile)}, "e": {Data: []byte("x")}},
		"a long name":    {strings.Repeat("a", 201): {}},
		"a strange name": {"a\nb": {}},
		"a backslash":    {`a\b`: {}},
	} {
		if _, _, err := static.Pack(files); !errors.Is(err, static.ErrBadArchive) {
			t.Errorf("%s: %v", what, err)
		}
	}
	dir := t.TempDir()
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "x")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := static.Pack(os.DirFS(dir)); !errors.Is(err, static.ErrBadArchive) {
		t.Errorf("a link: %v", err)
	}
}

// raw makes an archive that Pack would not make.
func raw(t testing.TB, headers ...zip.FileHeader) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, h := range headers {
		f, err := w.CreateHeader(&h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte("content")); err != nil && !strings.HasSuffix(h.Name, "/") {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestOpenRefuses(t *testing.T) {
	good, _, err := static.Pack(site)
	if err != nil {
		t.Fatal(err)
	}
	bomb := func() []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for range 5 {
			f, _ := w.Create(strings.Repeat("x", 1+b.Len()%100))
			_, _ = f.Write(make([]byte, static.MaxFile))
		}
		_ = w.Close()
		return b.Bytes()
	}
	link := zip.FileHeader{Name: "link"}
	link.SetMode(os.ModeSymlink | 0o777)
	for what, b := range map[string][]byte{
		"nothing": nil, "noise": random(1000), "cut off": good[:len(good)-10], "climbs": raw(t, zip.FileHeader{Name: "../x"}), "climbs within": raw(t, zip.FileHeader{Name: "a/../../x"}),
		"absolute": raw(t, zip.FileHeader{Name: "/etc/passwd"}), "a directory": raw(t, zip.FileHeader{Name: "a/"}), "a backslash": raw(t, zip.FileHeader{Name: `..\x`}),
		"twice": raw(t, zip.FileHeader{Name: "a"}, zip.FileHeader{Name: "a"}), "a link": raw(t, link), "NUL": raw(t, zip.FileHeader{Name: "a\x00b"}),
		"a bomb": bomb(), "double slash": raw(t, zip.FileHeader{Name: "a//b"}), "a dot": raw(t, zip.FileHeader{Name: "./a"}),
	} {
		if _, err := static.Open(b); !errors.Is(err, static.ErrBadArchive) {
			t.Errorf("%s: %v", what, err)
		}
	}
	damaged := bytes.Clone(good)
	damaged[30+len(".well-known/acme/token")] ^= 1 // within the first file
	if a, err := static.Open(damaged); err == nil {
		t.Errorf("a damaged file is taken: %+v", a)
	}
}

func FuzzOpen(f *testing.F) {
	good, _, err := static.Pack(site)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(raw(f, zip.FileHeader{Name: "../x"}))
	f.Add(raw(f, zip.FileHeader{Name: "a", Method: zip.Deflate}))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := static.Open(b)
		if err != nil {
			return
		}
		if a.Len() > static.MaxFiles {
			t.Errorf("%d files", a.Len())
		}
		for _, name := range []string{"a", "index.html", "../x", "/x", ""} {
			file, ok := a.File(name)
			if !ok {
				continue
			}
			if name != "a" && name != "index.html" {
				t.Errorf("it has %q", name)
			}
			plain, err := io.ReadAll(file.Open())
			if err != nil || int64(len(plain)) != file.Size {
				t.Errorf("%s: %d bytes, %v", name, len(plain), err)
			}
			if packed, ok := file.OpenGzip(); ok {
				r, err := gzip.NewReader(packed)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
					t.Errorf("%s in gzip: %v", name, err)
				}
			}
		}
	})
}
