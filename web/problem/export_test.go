package problem

import "errors"

// Errors are what an entry is about.
func (e Entry) Errors() []error { return e.errs }

// Sample is an error of a kind.
func Sample(e Entry) error {
	if len(e.errs) == 0 {
		return errors.New("disk 3 is on fire")
	}
	return e.errs[0]
}
