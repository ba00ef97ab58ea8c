package control

// Limits of a page of a list.
const (
	PageLimit    = 100  // if nothing is said
	MaxPageLimit = 1000 // in one call
)

// Page says which part of a list is wanted.
type Page struct {
	Cursor string // Next of the part before; "" for the beginning
	Limit  int    // items; 0 for PageLimit
}

// Items is a part of a list.
type Items[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"` // the cursor of the next part; "" at the end
}
