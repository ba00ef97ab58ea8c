package registry

import (
	"fmt"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/source"
)

// Inspection is what was read from a module's bytes, before any trust.
type Inspection struct {
	Digest    Digest        `json:"digest"`
	Size      int64         `json:"size"`
	Interface abi.Interface `json:"interface"`
	// Capabilities are the words of the capability modules it imports, sorted.
	Capabilities []string `json:"capabilities"`
	Imports      []Import `json:"imports"`
	Exports      []string `json:"exports"`
	MemoryMin    int64    `json:"memory_min"` // bytes
	MemoryMax    int64    `json:"memory_max"` // bytes; 0: not bounded by the module
	Functions    int      `json:"functions"`
	Sections     []string `json:"sections"`           // custom sections by name
	Language     string   `json:"language,omitempty"` // from the producers section
	// Made is what the module says that it was made of; nil if it was made of no script.
	Made *source.Origin `json:"made,omitempty"`
}

// Fits returns an error if an app with this manifest, whose limits are filled in, has not the
// memory that the module has from its start.
func (m Manifest) Fits(i Inspection) error {
	if i.MemoryMin <= int64(m.Limits.Memory) {
		return nil
	}
	limit, err := m.Limits.Memory.MarshalText()
	if err != nil {
		return err
	}
	need := (i.MemoryMin + 1<<20 - 1) >> 20
	return fmt.Errorf("%w: it starts with %d MiB of memory, for its static data and its stack, and limits.memory is %s; write memory = \"%dMiB\" under [limits], as far as the tier allows, or make its arrays smaller or allocate them when they are needed",
		ErrTooHeavy, need, limit, need)
}

// Import is one function that the module needs from outside.
type Import struct {
	Module string `json:"module"`
	Name   string `json:"name"`
}
