package confine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// ErrLimits: the process was ended by its bounds.
var ErrLimits = errors.New("it takes more memory, time or disk than is allowed")

// ErrTime: the process had more time than it was given, on the wall clock.
var ErrTime = errors.New("it takes longer than is allowed")

// Child is a process that works on hostile bytes, and can be killed.
type Child struct {
	Command []string
	Bounds  Bounds        // which the child itself takes on, with Self
	Time    time.Duration // on the wall clock
	Most    int           // bytes of what it may write
}

// Run gives a child its input and returns what it wrote, and the processor time that it took. Its error wraps
// ErrTime, ErrLimits or that of ctx; what the child wrote before is returned with it.
func (c Child) Run(ctx context.Context, in io.Reader) (out []byte, spent time.Duration, err error) {
	limited, cancel := context.WithTimeout(ctx, c.Time)
	defer cancel()
	var said, problems bytes.Buffer
	child := exec.CommandContext(limited, c.Command[0], c.Command[1:]...)
	child.Env, child.Stdin = c.Bounds.Env(), in
	child.Stdout, child.Stderr = &limitedBuffer{b: &said, left: c.Most}, &limitedBuffer{b: &problems, left: 4096}
	child.WaitDelay = time.Second
	err = child.Run()
	if s := child.ProcessState; s != nil {
		spent = s.UserTime() + s.SystemTime()
	}
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case limited.Err() != nil:
		err = fmt.Errorf("%w: %s", ErrTime, c.Time)
	case err != nil && diedOfLimits(err, problems.String()):
		err = fmt.Errorf("%w: %w: %s", ErrLimits, err, problems.String())
	case err != nil:
		err = fmt.Errorf("%w: %s", err, problems.String())
	}
	return said.Bytes(), spent, err
}

// diedOfLimits recognises a child that its resource limits ended: killed, or crashed with a trace. A Go
// runtime that gets no more memory dies in many ways; a worker itself writes no trace, as it recovers
// from panics.
func diedOfLimits(err error, stderr string) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	return ok && (exit.ExitCode() == -1 || (exit.ExitCode() == 2 && stderr != ""))
}

// limitedBuffer keeps the first bytes and swallows the rest.
type limitedBuffer struct {
	b    *bytes.Buffer
	left int
}

func (l *limitedBuffer) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	l.b.Write(p[:n])
	return len(p), nil
}
