package events

import (
	"unsafe"

	"github.com/agora-host/agora/sdk/guest/internal/call"
)

//go:wasmimport app:events/v1 publish
func hostPublish(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

func publish(in []byte) ([]byte, error) { return call.Do(hostPublish, in) }
