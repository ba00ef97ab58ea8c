package engine

// Mended is mended, for tests that drive the compiler themselves.
var Mended = mended
