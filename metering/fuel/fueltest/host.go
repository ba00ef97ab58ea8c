package fueltest

import (
	"encoding/binary"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/metering/fuel"
)

// The work of the host, by tables 2 and 3. Numbers are those of the documentation, written out: this is
// its second reading.

// askHost calls an import, and charges for what the host does.
func (v *Machine) askHost(module, name string, args []uint64) []uint64 {
	if module == abi.WASIModule && v.o.Table != fuel.Table1 {
		v.chargeWASI(name, args)
	}
	if !strings.HasPrefix(module, "app:") || v.o.Table == fuel.Table1 {
		return v.o.Host(module, name, args)
	}
	v.charge(1024)
	in, readable := v.bytes(args[0], args[1])
	if readable {
		v.charge(eighths(len(in)))
	}
	results := v.o.Host(module, name, args)
	if n := int64(results[0]); readable && n > 0 && n <= int64(uint32(args[3])) {
		v.charge(eighths(int(n)))
	}
	return results
}

// chargeWASI charges for a function by its arguments. What a host copies of its own, arguments
// and variables, is not known here.
func (v *Machine) chargeWASI(name string, args []uint64) {
	if name == "proc_exit" {
		return
	}
	v.charge(512)
	switch name {
	case "random_get":
		if view, ok := v.bytes(args[0], args[1]); ok {
			v.charge(8 * uint64(len(view)))
		}
	case "poll_oneoff":
		v.charge(8192)
		n := uint64(uint32(args[2]))
		if _, ok := v.bytes(args[0], n*48); ok && n > 0 && n <= 64 {
			v.charge(256 * n)
		}
	case "fd_write":
		v.chargeVectors(uint32(args[0]), args[1], args[2])
	}
}

func (v *Machine) chargeVectors(fd uint32, at, n uint64) {
	if n = uint64(uint32(n)); n > 1024 {
		return
	}
	for i := range n {
		v.charge(256)
		entry, ok := v.bytes(uint64(uint32(at))+8*i, 8)
		if !ok {
			return
		}
		view, ok := v.bytes(uint64(binary.LittleEndian.Uint32(entry)), uint64(binary.LittleEndian.Uint32(entry[4:])))
		if !ok {
			return
		}
		if fd == 1 || fd == 2 {
			v.charge(eighths(len(view)))
		}
	}
}

// bytes is a part of memory that the host is pointed to, if it is there.
func (v *Machine) bytes(at, n uint64) ([]byte, bool) {
	at, n = uint64(uint32(at)), uint64(uint32(n))
	if at+n > uint64(len(v.Memory)) {
		return nil, false
	}
	return v.Memory[at : at+n], true
}

func eighths(n int) uint64 { return (uint64(n) + 7) / 8 }
