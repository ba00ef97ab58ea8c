package engine

import "os"

// WithoutPagemap makes as if the kernel could not say what was written.
func WithoutPagemap() (restore func()) {
	before := pagemap
	pagemap = func() *os.File { return nil }
	return func() { pagemap = before }
}
