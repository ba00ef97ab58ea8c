package stream

import (
	"unsafe"

	"github.com/agora-host/agora/sdk/guest/internal/call"
)

//go:wasmimport app:stream/v1 start
func hostStart(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

//go:wasmimport app:stream/v1 write
func hostWrite(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

func start(frame []byte) ([]byte, error) { return call.Do(hostStart, frame) }

func write(p []byte) ([]byte, error) { return call.Do(hostWrite, p) }
