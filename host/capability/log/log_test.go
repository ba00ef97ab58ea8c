package log_test

import (
	"context"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/capability/log"
)

func TestWrite(t *testing.T) {
	var got []string
	link := log.New(func(_ context.Context, app string, release int, level, message string) {
		if app != "a" || release != 3 {
			t.Errorf("line of %s release %d", app, release)
		}
		got = append(got, level+" "+message)
	}).Bind("a", 3)
	for _, c := range []struct {
		in    string
		errno abi.Errno
		line  string
	}{
		{"\x01hello", 0, "info hello"},
		{"\x03", 0, "error "},
		{"\x00bad \xff utf-8", 0, "debug bad � utf-8"},
		{"", abi.ErrnoInvalid, ""},
		{"\x04level", abi.ErrnoInvalid, ""},
		{"\x01" + strings.Repeat("x", log.MaxLine+1), abi.ErrnoTooLarge, ""},
	} {
		got = nil
		var noted abi.Recorder
		_, errno := link["write"](abi.WithRecorder(t.Context(), &noted), []byte(c.in))
		if errno != c.errno || strings.Join(got, "|") != c.line {
			t.Errorf("%.20q: got %v %q, want %v %q", c.in, errno, got, c.errno, c.line)
		}
		if uses := noted.Uses(); len(uses) != len(got) {
			t.Errorf("%.20q: %d lines are written, and %v is noted", c.in, len(got), uses)
		}
	}
}
