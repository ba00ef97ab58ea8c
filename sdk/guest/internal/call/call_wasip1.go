package call

import (
	"unsafe"

	"github.com/agora-host/agora/abi"
)

// Func is an imported function of a capability.
type Func func(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

// Do calls a function, with a larger buffer if the response needs one.
func Do(f Func, in []byte) ([]byte, error) { return DoSized(f, in, 0) }

// DoSized is Do with a buffer that is large enough for what the caller expects.
func DoSized(f Func, in []byte, size int) ([]byte, error) {
	out := make([]byte, max(1024, size))
	for {
		n := f(unsafe.Pointer(unsafe.SliceData(in)), uint32(len(in)), unsafe.Pointer(&out[0]), uint32(len(out)))
		switch {
		case n < 0:
			return nil, abi.Errno(-n)
		case int(n) <= len(out):
			return out[:n], nil
		}
		out = make([]byte, n)
	}
}
