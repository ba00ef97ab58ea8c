package registry

import "github.com/agora-host/agora/abi"

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
}

// Import is one function that the module needs from outside.
type Import struct {
	Module string `json:"module"`
	Name   string `json:"name"`
}
