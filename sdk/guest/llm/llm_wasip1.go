package llm

import (
	"unsafe"

	"github.com/agora-host/agora/sdk/guest/internal/call"
)

//go:wasmimport app:llm/v1 chat
func hostChat(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

//go:wasmimport app:llm/v1 open
func hostOpen(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

//go:wasmimport app:llm/v1 next
func hostNext(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

//go:wasmimport app:llm/v1 close
func hostClose(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

func chat(in []byte) ([]byte, error)   { return call.Do(hostChat, in) }
func open(in []byte) ([]byte, error)   { return call.Do(hostOpen, in) }
func next(in []byte) ([]byte, error)   { return call.Do(hostNext, in) }
func hangUp(in []byte) ([]byte, error) { return call.Do(hostClose, in) }
