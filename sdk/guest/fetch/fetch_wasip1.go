package fetch

import (
	"unsafe"

	"github.com/agora-host/agora/sdk/guest/internal/call"
)

//go:wasmimport app:fetch/v1 do
func hostDo(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

func do(in []byte) ([]byte, error) { return call.Do(hostDo, in) }
