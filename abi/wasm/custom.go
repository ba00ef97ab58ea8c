package wasm

import (
	"bytes"
	"errors"
	"slices"
)

// CustomSection finds the data of a custom section without reading the module any
// further; ok is false if there is none. Of several, it is the last.
func CustomSection(module []byte, name string) (data []byte, ok bool, err error) {
	err = eachSection(module, func(whole, custom []byte, of string) {
		if custom != nil && of == name {
			data, ok = custom, true
		}
	})
	return data, ok, err
}

// WithCustomSection replaces or adds a custom section, at the end; data nil takes
// it away. A module that stays as it is is answered as it is.
func WithCustomSection(module []byte, name string, data []byte) ([]byte, error) {
	out, found := bytes.Clone(module[:min(8, len(module))]), false
	err := eachSection(module, func(whole, custom []byte, of string) {
		if custom != nil && of == name {
			found = true
			return
		}
		out = append(out, whole...)
	})
	if err != nil {
		return nil, err
	}
	if data == nil {
		if !found {
			return module, nil
		}
		return out, nil
	}
	return appendBytes(append(out, 0), slices.Concat(appendName(nil, name), data)), nil
}

var errNoSections = errors.New("the bytes are no WebAssembly module")

// eachSection visits sections in order: the whole of each and, of a custom one,
// its data and its name.
func eachSection(module []byte, visit func(whole, custom []byte, name string)) error {
	if len(module) < 8 || string(module[:8]) != "\x00asm\x01\x00\x00\x00" {
		return errNoSections
	}
	for rest := module[8:]; len(rest) > 0; {
		size, n := leb(rest[1:])
		if n == 0 || uint64(size) > uint64(len(rest)-1-n) {
			return errNoSections
		}
		whole, body := rest[:1+n+int(size)], rest[1+n:1+n+int(size)]
		if rest = rest[len(whole):]; whole[0] != 0 {
			visit(whole, nil, "")
			continue
		}
		length, n := leb(body)
		if n == 0 || uint64(length) > uint64(len(body)-n) {
			return errNoSections
		}
		visit(whole, body[n+int(length):], string(body[n:n+int(length)]))
	}
	return nil
}

// leb reads an unsigned LEB128 integer of 32 bits; n is 0 if there is none.
func leb(b []byte) (v uint32, n int) {
	for i := 0; i < min(5, len(b)); i++ {
		if i == 4 && b[i] > 0x0f {
			return 0, 0
		}
		v |= uint32(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}
