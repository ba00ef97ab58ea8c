//go:build !linux

package turns

func lower() bool { return false }
func raise()      {}

// ShortSlices does nothing here.
func ShortSlices() {}
