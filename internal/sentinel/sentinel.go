package sentinel

// kind is an error with a wider one that it is, too.
type kind struct {
	text string
	of   error
}

func (k *kind) Error() string { return k.text }

// Unwrap makes errors.Is find the wider error. Its text is not repeated.
func (k *kind) Unwrap() error { return k.of }

// New returns a sentinel that errors.Is also takes for of.
func New(of error, text string) error { return &kind{text, of} }
