package intake_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/web/intake"
	"github.com/agora-host/agora/web/problem"
)

// disk receives modules into memory, and counts those that no one discarded.
type disk struct{ kept int }

type onDisk struct {
	d   *disk
	raw []byte
}

func (m onDisk) Size() int64            { return int64(len(m.raw)) }
func (m onDisk) Bytes() ([]byte, error) { return m.raw, nil }
func (m onDisk) Keep() error            { return nil }
func (m onDisk) Discard() error         { m.d.kept--; return nil }

func (d *disk) Receive(_ context.Context, r io.Reader) (control.Module, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	d.kept++
	return onDisk{d, raw}, nil
}

func part(name, body string) string {
	return "--x\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + body + "\r\n"
}

func TestForm(t *testing.T) {
	for _, k := range []struct {
		name, body string
		want       error
	}{
		{"whole", part("module", "M") + part("manifest", "T") + "--x--\r\n", nil},
		{"twice", part("module", "M") + part("module", "M") + "--x--\r\n", problem.ErrBadRequest},
		{"a part that is not known", part("module", "M") + part("surprise", "") + "--x--\r\n", problem.ErrBadRequest},
		{"cut off", part("module", "M") + "--x\r\nContent-Disp", problem.ErrBadRequest},
		{"a part that is too large", part("module", "M") + part("manifest", strings.Repeat("x", 256<<10+1)) + "--x--\r\n", registry.ErrTooLarge},
		{"a head without end", part("module", "M") + "--x\r\nX: " + strings.Repeat("x", 64<<10), problem.ErrBadRequest},
	} {
		d := &disk{}
		body := &counted{r: strings.NewReader(k.body)}
		r := httptest.NewRequest("POST", "/", body)
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		f, err := intake.ReadForm(r, d, "manifest", "module")
		if !errors.Is(err, k.want) {
			t.Errorf("%s: %v", k.name, err)
		}
		if k.want == nil {
			if !bytes.Equal(f.Parts["manifest"], []byte("T")) || f.Module.Size() != 1 {
				t.Errorf("%s: %+v", k.name, f)
			}
			f.Discard()
		}
		if d.kept != 0 {
			t.Errorf("%s: %d modules stay on the disk", k.name, d.kept)
		}
		if strings.HasPrefix(k.name, "a head") && body.n > 48<<10 {
			t.Errorf("%s: %d bytes were read", k.name, body.n)
		}
	}
}

type counted struct {
	r io.Reader
	n int
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += n
	return n, err
}

// TestLimit: what says that it has too much is refused unread, and what has more than it said is
// cut off.
func TestLimit(t *testing.T) {
	body := &counted{r: strings.NewReader("xx")}
	r := httptest.NewRequest("POST", "/", body)
	r.ContentLength = 2
	if err := intake.Begin(httptest.NewRecorder(), r, 1); !errors.Is(err, registry.ErrTooLarge) || body.n != 0 {
		t.Errorf("more than is taken: %v, and %d bytes were read", err, body.n)
	}
	r.ContentLength = -1
	if err := intake.Begin(httptest.NewRecorder(), r, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r.Body); err == nil || intake.Unreadable(err) != err {
		t.Errorf("more than it said: %v", err)
	}
}
