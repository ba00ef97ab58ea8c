//go:build !linux

package engine

// WithoutPagemap changes nothing where there is none.
func WithoutPagemap() (restore func()) { return func() {} }
