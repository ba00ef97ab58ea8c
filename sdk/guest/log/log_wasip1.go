package log

import (
	"unsafe"

	"github.com/agora-host/agora/sdk/guest/internal/call"
)

//go:wasmimport app:log/v1 write
func hostWrite(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

func write(in []byte) { _, _ = call.Do(hostWrite, in) }
