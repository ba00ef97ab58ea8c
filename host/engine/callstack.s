// A function without a body (see callstack.go) is taken only in a package that has
// assembly, even if there is none in it.
