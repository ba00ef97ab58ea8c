//go:build !wasip1

package secret

import (
	"errors"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/abitest"
)

// TestStandIn: what stands in for the node behaves as the node does.
func TestStandIn(t *testing.T) {
	abitest.Secret(t, func(_ *testing.T, granted []string, set map[string]string) abi.Link {
		f := newFake()
		for _, name := range granted {
			f.granted[name] = true
		}
		f.values = set
		return f.link()
	})
}

func TestGet(t *testing.T) {
	Reset()
	Set("stripe", "hunter2")
	if v, err := Get("stripe"); v != "hunter2" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	if v, err := Get("other"); v != "" || !errors.Is(err, abi.ErrnoDenied) {
		t.Errorf("%q, %v", v, err)
	}
}
