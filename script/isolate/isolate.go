package isolate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/agora-host/agora/internal/confine"
	"github.com/agora-host/agora/script"
	"github.com/agora-host/agora/script/languages"
)

// ErrTooHeavy: the script cannot be built within the bounds.
var ErrTooHeavy = errors.New("building the script takes too much")

// Builder builds scripts.
type Builder struct {
	// Worker is the command line of the child, which runs Worker.
	Worker []string
	// Time bounds a build on the wall clock.
	Time time.Duration
}

// task is the first line that a child reads; the script follows.
type task struct {
	Entry        string         `json:"entry"`
	Capabilities []string       `json:"capabilities"`
	Bounds       confine.Bounds `json:"bounds"`
}

// verdict is what a child writes.
type verdict struct {
	Built script.Built        `json:"built"`
	Wrong []script.Diagnostic `json:"wrong,omitempty"` // of the script
	Error string              `json:"error,omitempty"` // of the child
}

// mostOut bounds what a child writes: a module with its script twice, in base64, and what is said of it.
const mostOut = 64 << 20

// Build makes a module of one script, which may import nothing. What is wrong with the script is a
// *script.Error; one that cannot be built within the bounds is ErrTooHeavy. spent is the
// processor time that it took.
func (b *Builder) Build(ctx context.Context, entry string, code []byte, capabilities []string) (built script.Built, spent time.Duration, err error) {
	bounds := confine.For(len(code))
	head, err := json.Marshal(task{entry, capabilities, bounds})
	if err != nil {
		return built, 0, err
	}
	child := confine.Child{Command: b.Worker, Bounds: bounds, Time: b.Time, Most: mostOut}
	out, spent, err := child.Run(ctx, io.MultiReader(bytes.NewReader(append(head, '\n')), bytes.NewReader(code)))
	switch {
	case errors.Is(err, confine.ErrTime), errors.Is(err, confine.ErrLimits):
		return built, spent, fmt.Errorf("%w: more time or memory than a script of %d bytes may have; make it smaller", ErrTooHeavy, len(code))
	case err != nil:
		return built, spent, fmt.Errorf("run the build worker: %w", err)
	}
	var v verdict
	if err := json.Unmarshal(out, &v); err != nil {
		return built, spent, fmt.Errorf("read what the build worker says: %w", err)
	}
	switch {
	case v.Error != "":
		return built, spent, fmt.Errorf("build the script: %s", v.Error)
	case len(v.Wrong) > 0:
		return built, spent, &script.Error{Diagnostics: v.Wrong}
	}
	return v.Built, spent, nil
}

// Exit statuses of the child. One that crashed has Go's, 2.
const (
	exitNoTask     = 4
	exitUnconfined = 3
)

// Worker is the whole life of the child: it reads its task from in and confines itself, then reads the
// script and writes its verdict to out. It returns the exit status.
func Worker(in io.Reader, out io.Writer) int {
	dec := json.NewDecoder(in)
	var t task
	if err := dec.Decode(&t); err != nil {
		return exitNoTask
	}
	if err := confine.Self(t.Bounds, ""); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUnconfined
	}
	code, err := io.ReadAll(io.MultiReader(dec.Buffered(), in))
	if err != nil || len(code) == 0 {
		return exitNoTask
	}
	var v verdict
	v.Built, err = languages.Build(context.Background(), script.Source{Entry: t.Entry, Code: code[1:], Capabilities: t.Capabilities})
	if wrong, ok := errors.AsType[*script.Error](err); ok {
		v = verdict{Wrong: wrong.Diagnostics}
	} else if err != nil {
		v = verdict{Error: err.Error()}
	}
	if json.NewEncoder(out).Encode(v) != nil {
		return exitNoTask
	}
	return 0
}
