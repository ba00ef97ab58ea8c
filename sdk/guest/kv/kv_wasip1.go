package kv

import (
	"unsafe"

	"github.com/agora-host/agora/sdk/guest/internal/call"
)

//go:wasmimport app:kv/v1 get
func hostGet(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

//go:wasmimport app:kv/v1 set
func hostSet(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

//go:wasmimport app:kv/v1 delete
func hostDelete(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

//go:wasmimport app:kv/v1 list
func hostList(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

//go:wasmimport app:kv/v1 put
func hostPut(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

//go:wasmimport app:kv/v1 swap
func hostSwap(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

//go:wasmimport app:kv/v1 scan
func hostScan(req unsafe.Pointer, reqLen uint32, out unsafe.Pointer, outCap uint32) int64

func get(in []byte) ([]byte, error)    { return call.Do(hostGet, in) }
func set(in []byte) ([]byte, error)    { return call.Do(hostSet, in) }
func remove(in []byte) ([]byte, error) { return call.Do(hostDelete, in) }
func list(in []byte) ([]byte, error)   { return call.Do(hostList, in) }
func put(in []byte) ([]byte, error)    { return call.Do(hostPut, in) }
func swap(in []byte) ([]byte, error)   { return call.Do(hostSwap, in) }
func scan(in []byte) ([]byte, error)   { return call.Do(hostScan, in) }
