package problem

// Errors are what an entry is about.
func (e Entry) Errors() []error { return e.errs }
