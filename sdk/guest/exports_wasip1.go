package guest

import (
	"unsafe"

	"github.com/agora-host/agora/abi"
)

// in and out stay reachable for as long as the node may read them: an instance
// serves one request.
var in, out []byte

//go:wasmexport app_alloc
func appAlloc(size uint32) uint32 {
	in = make([]byte, max(size, 1))
	return uint32(uintptr(unsafe.Pointer(&in[0])))
}

//go:wasmexport app_handle_v1
func appHandle(_, length uint32) uint64 {
	if out = serve(in[:length]); out == nil {
		return 0
	}
	return abi.PackResult(uint32(uintptr(unsafe.Pointer(&out[0]))), uint32(len(out)))
}
