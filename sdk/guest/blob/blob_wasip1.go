package blob

import (
	"unsafe"

	"github.com/agora-host/agora/sdk/guest/internal/call"
)

//go:wasmimport app:blob/v1 put
func hostPut(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

//go:wasmimport app:blob/v1 get
func hostGet(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

//go:wasmimport app:blob/v1 stat
func hostStat(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

//go:wasmimport app:blob/v1 delete
func hostDelete(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

//go:wasmimport app:blob/v1 list
func hostList(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

func put(in []byte) ([]byte, error)           { return call.Do(hostPut, in) }
func get(in []byte, size int) ([]byte, error) { return call.DoSized(hostGet, in, size) }
func stat(in []byte) ([]byte, error)          { return call.Do(hostStat, in) }
func remove(in []byte) ([]byte, error)        { return call.Do(hostDelete, in) }
func list(in []byte) ([]byte, error)          { return call.Do(hostList, in) }
