package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
)

// variant is an app with a large memory whose start-up writes to every other page of it, and whose data
// differs from that of other variants at n places, in as many pages; one of them is in its response. It is
// asked to by a long path, it writes to all of its memory and traps.
func variant(t testing.TB, n int, c byte) []byte {
	const pages, step = 8, 8192
	number := func(v int64) []byte { return wasm.AppendS64([]byte{wasm.OpI32Const}, v) }
	var init []byte
	for at := int64(step); at < pages*pageSize; at += step {
		init = append(append(append(init, number(at)...), number(at)...), 0x36, 2, 0 /* i32.store */)
	}
	spoil := append([]byte{wasm.OpLocalGet, 1}, append(number(200), 0x4b /* i32.gt_u */, wasm.OpIf, wasm.BlockEmpty)...)
	spoil = append(append(append(spoil, number(0)...), number(0xee)...), number(pages*pageSize)...)
	spoil = append(spoil, wasm.OpPrefixFC, wasm.FCMemoryFill, 0, wasm.OpUnreachable, wasm.OpEnd)
	frame := abi.AppendResponse(nil, &abi.Response{Status: 200, Body: []byte{c}})
	var data []wasm.Data
	for i := 1; i < n; i++ {
		data = append(data, active(uint32(i*step+100), string(c)))
	}
	return withData(t, wasmtest.App{Pages: pages, Init: init, Code: spoil, Frame: frame}, nil, data...)
}

// TestImagesAreShared: programs of one code whose memories differ in few pages share an image, of
// which the node has one; each finds its own memory in each request, whatever the one before did, with and
// without the kernel's help, in whichever order they come and go; and all that is counted comes back.
func TestImagesAreShared(t *testing.T) {
	for _, scan := range []bool{true, false} {
		t.Run(fmt.Sprintf("pagemap %v", scan), func(t *testing.T) {
			if !scan {
				defer WithoutPagemap()()
			}
			e, all, maps := memoryEngine(t, 64<<20, 1000)
			spoiling := Call{Request: &abi.Request{Method: "GET", Path: "/" + string(bytes.Repeat([]byte{'x'}, 300))}}
			programs := map[byte]*Program{}
			for i, c := range []byte("abcd") {
				differ := maxPatched
				if c == 'd' {
					differ = maxPatched + 2 // too many
				}
				p := loadFor(t, e, fmt.Sprint("owner", i), 1<<20, variant(t, differ, c))
				programs[c] = p
				for turn := range 6 {
					if turn%2 == 1 { // each other one finds what a new instance was given
						if _, err := p.Invoke(t.Context(), spoiling); !errors.Is(err, abi.ErrTrap) {
							t.Fatal(err)
						}
					} else {
						e.Relieve()
					}
					r, err := p.Invoke(t.Context(), request)
					if err != nil || string(r.Response.Body) != string(c) {
						t.Fatalf("turn %d: %q answers %q: %v", turn, c, r.Response.Body, err)
					}
					if _, differs := p.Waiting(); differs != "" {
						t.Fatalf("turn %d: what waits of %q: %s", turn, c, differs)
					}
				}
				if c == 'b' { // the one whose memory the others share
					if err := programs['a'].Close(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			for c, shares := range map[byte]bool{'b': true, 'c': true, 'd': false} {
				if large := programs[c].pool.image.large; (large.patched != nil) != shares || shares && large.filled > maxPatched*int64(len(zeroPage)) {
					t.Errorf("the image of %q takes %d bytes and has %d pages of its own", c, large.filled, len(large.patched))
				}
			}
			want := programs['b'].code.base.filled
			for _, c := range []byte("bcd") {
				want += held(programs[c])
			}
			if all.Used() != want {
				t.Errorf("%d are taken, and %d are held", all.Used(), want)
			}
			for _, c := range []byte("bcd") {
				if err := programs[c].Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if all.Used() != 0 || maps.Used() != 0 || len(e.memory.Heaviest()) != 0 {
				t.Errorf("after all was closed, %d bytes and %d mappings are taken, by %v", all.Used(), maps.Used(), e.memory.Heaviest())
			}
			_ = e.Close(context.Background())
		})
	}
}
