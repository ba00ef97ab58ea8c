package kv_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/capability/kv"
)

// memory is a store that keeps everything in a map, and fails when told so.
type memory struct {
	data map[string]string
	fail error
}

func (m *memory) Get(_ context.Context, app, key string) ([]byte, error) {
	v, ok := m.data[app+"\x00"+key]
	if !ok {
		return nil, errors.Join(abi.ErrnoNotFound, m.fail)
	}
	return []byte(v), m.fail
}

func (m *memory) Set(_ context.Context, app, key string, value []byte, quota int64) error {
	if int64(len(key)+len(value)) > quota {
		return abi.ErrnoQuota
	}
	m.data[app+"\x00"+key] = string(value)
	return m.fail
}

func (m *memory) Delete(_ context.Context, app, key string) error {
	delete(m.data, app+"\x00"+key)
	return m.fail
}

func (m *memory) List(_ context.Context, app, prefix string, limit int) ([]string, error) {
	var keys []string
	for k := range m.data {
		if key, ok := strings.CutPrefix(k, app+"\x00"); ok && strings.HasPrefix(key, prefix) && len(keys) < limit {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, m.fail
}

func TestKV(t *testing.T) {
	store := &memory{data: map[string]string{}}
	c := kv.New(store, slog.New(slog.DiscardHandler))
	a, b := c.Bind("a", 100), c.Bind("b", 100)
	long := strings.Repeat("k", abi.MaxKVKey+1)
	for _, step := range []struct {
		name  string
		link  abi.Link
		fn    string
		in    []byte
		out   string
		errno abi.Errno
	}{
		{"nothing there", a, "get", []byte("x"), "", abi.ErrnoNotFound},
		{"set", a, "set", abi.AppendKVSet(nil, "x", []byte("1")), "", 0},
		{"get", a, "get", []byte("x"), "1", 0},
		{"another app does not see it", b, "get", []byte("x"), "", abi.ErrnoNotFound},
		{"nor list it", b, "list", nil, "", 0},
		{"list", a, "list", []byte("x"), string(abi.AppendKVKey(nil, "x")), 0},
		{"a key that reaches for a neighbour", b, "get", []byte("\x00a\x00x"), "", abi.ErrnoNotFound},
		{"over quota", a, "set", abi.AppendKVSet(nil, "y", make([]byte, 100)), "", abi.ErrnoQuota},
		{"empty key", a, "set", abi.AppendKVSet(nil, "", nil), "", abi.ErrnoInvalid},
		{"long key", a, "get", []byte(long), "", abi.ErrnoTooLarge},
		{"long prefix", a, "list", []byte(long), "", abi.ErrnoTooLarge},
		{"long value", a, "set", abi.AppendKVSet(nil, "y", make([]byte, abi.MaxKVValue+1)), "", abi.ErrnoTooLarge},
		{"a length that lies", a, "set", []byte{255, 255, 255, 255, 'x'}, "", abi.ErrnoInvalid},
		{"no length", a, "set", nil, "", abi.ErrnoInvalid},
		{"delete", a, "delete", []byte("x"), "", 0},
		{"delete again", a, "delete", []byte("x"), "", 0},
		{"gone", a, "get", []byte("x"), "", abi.ErrnoNotFound},
	} {
		out, errno := step.link[step.fn](t.Context(), step.in)
		if string(out) != step.out || errno != step.errno {
			t.Errorf("%s: got %q, %v; want %q, %v", step.name, out, errno, step.out, step.errno)
		}
	}
	store.fail = errors.New("disk")
	if _, errno := a["set"](t.Context(), abi.AppendKVSet(nil, "x", nil)); errno != abi.ErrnoUnavailable {
		t.Errorf("a store that fails: %v", errno)
	}
}

// TestEveryFunctionIsLinked keeps the link and the published capability alike.
func TestEveryFunctionIsLinked(t *testing.T) {
	known, _ := abi.CapabilityNamed("kv")
	link := kv.New(&memory{}, slog.New(slog.DiscardHandler)).Bind("a", 1)
	if len(link) != len(known.Functions) {
		t.Errorf("%d functions are linked, %d published", len(link), len(known.Functions))
	}
	for _, name := range known.Functions {
		if link[name] == nil {
			t.Errorf("%s is not linked", name)
		}
	}
}
