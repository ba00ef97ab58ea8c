package abitest

import (
	"bytes"
	"testing"

	"github.com/agora-host/agora/abi"
)

// call is one call of a link and what it has to answer.
type call struct {
	name  string // what the case is about
	fn    string
	in    []byte
	out   []byte
	errno abi.Errno
}

func (c call) check(t testing.TB, link abi.Link) {
	t.Helper()
	f := link[c.fn]
	if f == nil {
		t.Fatalf("%s: %q is not linked", c.name, c.fn)
	}
	in := bytes.Clone(c.in)
	out, errno := f(t.Context(), in)
	if !bytes.Equal(out, c.out) || errno != c.errno {
		t.Errorf("%s: %s(%.60q) answers %.60q, %v; want %.60q, %v", c.name, c.fn, c.in, out, errno, c.out, c.errno)
	}
	if !bytes.Equal(in, c.in) {
		t.Errorf("%s: %s changed the request", c.name, c.fn)
	}
	// Guest memory goes on to hold other things: nothing may have been kept of it.
	for i := range in {
		in[i] = 0xAA
	}
}

// complete compares a link with the capability that is published.
func complete(t testing.TB, word string, link abi.Link) {
	t.Helper()
	known, _ := abi.CapabilityNamed(word)
	if len(link) != len(known.Functions) {
		t.Errorf("%s has %d functions, and %d are linked", word, len(known.Functions), len(link))
	}
	for _, name := range known.Functions {
		if link[name] == nil {
			t.Errorf("%s.%s is not linked", word, name)
		}
	}
}
