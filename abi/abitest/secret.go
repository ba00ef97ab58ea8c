package abitest

import (
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
)

// Secret runs the table of secret. open returns a link that may read the granted
// names, of which some are set.
func Secret(t *testing.T, open func(t *testing.T, granted []string, set map[string]string) abi.Link) {
	link := open(t, []string{"bare", "binary", "stripe"}, map[string]string{"stripe": "hunter2", "binary": "\x00\xff\n", "other": "not yours"})
	complete(t, "secret", link)
	for _, c := range []call{
		{"a secret", "get", key("stripe"), []byte("hunter2"), 0},
		{"again", "get", key("stripe"), []byte("hunter2"), 0},
		{"any bytes", "get", key("binary"), []byte("\x00\xff\n"), 0},
		{"granted, and not set", "get", key("bare"), nil, abi.ErrnoNotFound},
		{"set, and not granted", "get", key("other"), nil, abi.ErrnoDenied},
		{"neither", "get", key("none"), nil, abi.ErrnoDenied},
		{"no name", "get", nil, nil, abi.ErrnoDenied},
		{"two names", "get", key("stripe binary"), nil, abi.ErrnoDenied},
		{"no text", "get", key("\xff\x00"), nil, abi.ErrnoDenied},
		{"a name without end", "get", key(strings.Repeat("s", 100_000)), nil, abi.ErrnoDenied},
	} {
		c.check(t, link)
	}
}
