package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/web/problem"
)

// Bounds of what is small in a form, in bytes.
const (
	maxManifest = 256 << 10
	maxPart     = 1 << 20
	// maxHeader bounds what stands before a part: the reader of forms keeps it in memory.
	maxHeader = 32 << 10
)

// modulePart is the one part of a form that goes to the disk.
const modulePart = "module"

// Receiver writes a module to the disk. A web.Intake is one.
type Receiver interface {
	Receive(ctx context.Context, r io.Reader) (control.Module, error)
}

// Form is what came in a multipart body.
type Form struct {
	Parts  map[string][]byte // by name; parts that did not come are not there
	Module control.Module    // nil if none came
	// ModuleFile is the name of the module's file, as its sender calls it; "" if it has none.
	ModuleFile string
}

// Discard removes what the form left on the disk.
func (f *Form) Discard() {
	if f.Module != nil {
		_ = f.Module.Discard() // if it cannot be removed, the next start does
	}
}

// ReadForm reads a multipart body: each known part once, and none that is not known. It leaves
// nothing on the disk when it fails; otherwise the caller discards the form.
func ReadForm(r *http.Request, to Receiver, known ...string) (_ *Form, err error) {
	guard := &headerGuard{r: r.Body}
	r.Body = struct {
		io.Reader
		io.Closer
	}{guard, r.Body}
	reader, err := r.MultipartReader()
	if err != nil {
		return nil, fmt.Errorf("%w: send multipart/form-data with the parts %s", problem.ErrMediaType, strings.Join(known, ", "))
	}
	f := &Form{Parts: map[string][]byte{}}
	defer func() {
		if err != nil {
			f.Discard()
		}
	}()
	for {
		guard.bound(maxHeader)
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return nil, Unreadable(err)
		}
		guard.bound(-1)
		name := part.FormName()
		_, twice := f.Parts[name]
		if twice || (name == modulePart && f.Module != nil) || !slices.Contains(known, name) {
			return nil, fmt.Errorf("%w: part %q; each of %s is taken once", problem.ErrBadRequest, name, strings.Join(known, ", "))
		}
		if err := f.read(r.Context(), to, name, part); err != nil {
			return nil, err
		}
		if name == modulePart {
			f.ModuleFile = part.FileName()
		}
	}
}

func (f *Form) read(ctx context.Context, to Receiver, name string, part io.Reader) (err error) {
	if name == modulePart {
		module, err := to.Receive(ctx, part)
		if err != nil {
			return Unreadable(err)
		}
		f.Module = module
		return nil
	}
	limit := int64(maxPart)
	if strings.HasPrefix(name, "manifest") {
		limit = maxManifest
	}
	b, err := io.ReadAll(io.LimitReader(part, limit+1))
	if err != nil {
		return Unreadable(err)
	}
	if int64(len(b)) > limit {
		return fmt.Errorf("the %s has more than %d bytes: %w", name, limit, registry.ErrTooLarge)
	}
	f.Parts[name] = b
	return nil
}

// headerGuard bounds how much is read while the head of a part is looked for.
type headerGuard struct {
	r    io.Reader
	left int64 // negative: no bound
}

func (g *headerGuard) bound(n int64) { g.left = n }

func (g *headerGuard) Read(b []byte) (int, error) {
	if g.left < 0 {
		return g.r.Read(b)
	}
	if g.left == 0 {
		return 0, fmt.Errorf("the head of a part has more than %d bytes", maxHeader)
	}
	n, err := g.r.Read(b[:min(int64(len(b)), g.left)])
	g.left -= int64(n)
	return n, err
}
