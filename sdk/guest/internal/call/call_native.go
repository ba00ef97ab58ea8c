//go:build !wasip1

package call

import (
	"bytes"
	"context"

	"github.com/agora-host/agora/abi"
)

// Do calls a function of what stands in for the node.
func Do(l abi.Link, name string, in []byte) ([]byte, error) {
	out, errno := l[name](context.Background(), bytes.Clone(in))
	if errno != abi.ErrnoOK {
		return nil, errno
	}
	return out, nil
}
