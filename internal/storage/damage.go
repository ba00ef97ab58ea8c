package storage

import "fmt"

// Damage is one stored thing that is not as it was written. errors.Is ErrCorrupt.
type Damage struct {
	File   string // path
	Item   string // what in the file, in words: `release 3 of "hello"`, "page 17"
	Detail string // what is wrong with it
}

func (d *Damage) Error() string {
	if d.Item == "" {
		return fmt.Sprintf("%s %s", d.File, d.Detail)
	}
	return fmt.Sprintf("%s in %s %s", d.Item, d.File, d.Detail)
}

func (d *Damage) Unwrap() error { return ErrCorrupt }
