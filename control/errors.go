package control

import (
	"errors"
	"fmt"
)

var (
	// ErrParameter: see ParameterError.
	ErrParameter = errors.New("a parameter is not what is expected here")
	// ErrNoSuchCall: the id is of no call, or of one that is forgotten.
	ErrNoSuchCall = errors.New("no call of this id is kept")
)

// ParameterError is a parameter that is not what the API's description says of it.
type ParameterError struct{ Name, Why string }

func (e *ParameterError) Error() string { return fmt.Sprintf("the parameter %q %s", e.Name, e.Why) }

func (e *ParameterError) Unwrap() error { return ErrParameter }
