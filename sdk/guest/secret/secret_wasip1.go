package secret

import (
	"unsafe"

	"github.com/agora-host/agora/sdk/guest/internal/call"
)

//go:wasmimport app:secret/v1 get
func hostGet(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

func get(in []byte) ([]byte, error) { return call.Do(hostGet, in) }
