package log

import (
	"context"
	"strings"

	"github.com/agora-host/agora/abi"
)

// MaxLine is the most bytes of one line's text.
const MaxLine = 8 << 10

var levels = [...]string{"debug", "info", "warn", "error"}

// Sink takes a line.
type Sink func(ctx context.Context, app string, release int, level, message string)

// Log is the capability.
type Log struct{ sink Sink }

// New makes a capability that writes to a sink.
func New(sink Sink) *Log { return &Log{sink} }

// Bind links the capability for a release.
func (l *Log) Bind(app string, release int) abi.Link {
	return abi.Link{"write": func(ctx context.Context, in []byte) ([]byte, abi.Errno) {
		switch {
		case len(in) == 0 || int(in[0]) >= len(levels):
			return nil, abi.ErrnoInvalid
		case len(in)-1 > MaxLine:
			return nil, abi.ErrnoTooLarge
		}
		abi.Note(ctx, abi.Use{Capability: "log", Meter: abi.MeterWrites, N: 1})
		l.sink(ctx, app, release, levels[in[0]], strings.ToValidUTF8(string(in[1:]), "�"))
		return nil, abi.ErrnoOK
	}}
}
