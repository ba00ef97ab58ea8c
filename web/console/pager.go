package console

import (
	"net/http"

	"github.com/agora-host/agora/control"
)

// pager leads through the pages of one list of a page. Its place is in a parameter of the
// page's address, so that pages work without script and can be sent to a person.
type pager struct {
	First string // address of the list's beginning; "" if this is it
	Next  string // address of what follows; "" at the end
}

// How much of each list a page shows at once.
const (
	shownApps     = 60
	shownReleases = 20
	shownHistory  = 20
	shownLetters  = 20
	shownLines    = 60  // of a log
	shownItems    = 100 // of lists that have a page for themselves, and of settings
)

// pageOf is the part of a list that an address asks for.
func pageOf(r *http.Request, list string, limit int) control.Page {
	return control.Page{Cursor: r.URL.Query().Get(list), Limit: limit}
}

func pagerOf(r *http.Request, list, next string) (p pager) {
	q := r.URL.Query()
	if q.Has(list) {
		q.Del(list)
		p.First = r.URL.Path + "?" + q.Encode() + "#" + list
	}
	if next != "" {
		q.Set(list, next)
		p.Next = r.URL.Path + "?" + q.Encode() + "#" + list
	}
	return p
}

// listed reads a part of a list, and how to go on from there.
func listed[T any](r *http.Request, list string, limit int, read func(control.Page) (control.Items[T], error)) ([]T, pager, error) {
	part, err := read(pageOf(r, list, limit))
	return part.Items, pagerOf(r, list, part.Next), err
}
