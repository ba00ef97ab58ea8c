package engine

import "github.com/agora-host/agora/abi/wasm"

// Mended mends a module, for tests that drive the compiler themselves.
func Mended(module []byte) ([]byte, error) {
	m, err := wasm.Parse(module, everything)
	if err != nil {
		return nil, err
	}
	mend(m)
	return m.Encode(), nil
}

// Unmended lets the compiler's defect stand until what it returns is called.
func Unmended() (restore func()) {
	before := mend
	mend = func(*wasm.Module) {}
	return func() { mend = before }
}

// Environment is what a CGI program is given.
var Environment = environment
