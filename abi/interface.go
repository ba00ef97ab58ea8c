package abi

// Interface names the contract between a module and the node. It is detected
// once, at upload, and stored with the release; it is never guessed at run time.
type Interface string

const (
	// InterfaceV1 is the native interface: one request frame in, one packed
	// result out. See frame.go for the bytes.
	InterfaceV1 Interface = "abi/v1"
	// InterfaceWASI is a WASI preview 1 command that is spoken to as a CGI
	// program (RFC 3875): environment and standard input in, header lines, an
	// empty line and the body on standard output.
	InterfaceWASI Interface = "wasi-cgi/v1"
)

// The exports of an abi/v1 module.
const (
	ExportMemory     = "memory"
	ExportAlloc      = "app_alloc"     // (size i32) -> (ptr i32)
	ExportHandle     = "app_handle_v1" // (ptr i32, len i32) -> (i64: ptr<<32 | len)
	ExportInitialize = "_initialize"   // optional, () -> (); WASI reactors
	ExportInit       = "app_init"      // optional, () -> ()
	ExportStart      = "_start"        // WASI commands, () -> ()
)

// WASIModule is the import module of WASI preview 1. It is a baseline that
// every app has (standard streams, clock, randomness, empty environment), not
// a capability.
const WASIModule = "wasi_snapshot_preview1"

// ReservedPrefix starts the import modules and exports that the host adds to a
// module. A module that uses such a name itself is refused at upload.
const ReservedPrefix = "agora:"

// UnpackResult splits the result of app_handle_v1.
func UnpackResult(packed uint64) (ptr, length uint32) {
	return uint32(packed >> 32), uint32(packed)
}

// PackResult is the inverse of UnpackResult, for guests.
func PackResult(ptr, length uint32) uint64 {
	return uint64(ptr)<<32 | uint64(length)
}
