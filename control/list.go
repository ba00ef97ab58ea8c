package control

import (
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/agora-host/agora/state"
)

// Part reads a page of a list out of the store. A cursor is a place in the list, not a number
// of items: what comes and goes meanwhile moves nothing, and reading seeks. It cannot lead out
// of the list, whose keys' beginning it does not hold.
func Part[T any](p Page, read func(state.Part) ([]T, []byte, error)) (Items[T], error) {
	after, err := placeOf(p)
	if err != nil {
		return Items[T]{}, err
	}
	items, next, err := read(state.Part{After: after, Limit: limitOf(p)})
	if err != nil {
		return Items[T]{}, err
	}
	return Items[T]{Items: items, Next: cursorOf(next)}, nil
}

// maxSifted is how many items one page of a list looks at, at most, for those that are wanted.
const maxSifted = 10_000

// Sift is Part for a list of which not all is wanted. A page of it may have fewer items than its
// limit, or none, and still be followed by another: what is rare is not looked for without end.
func Sift[T any](p Page, keep func(T) bool, read func(state.Part) ([]T, []byte, error)) (Items[T], error) {
	return Part(p, func(part state.Part) (kept []T, place []byte, err error) {
		most := part.Limit
		for seen := 0; ; {
			part.Limit = most - len(kept) // so that no item is read that there is no room for
			items, next, err := read(part)
			if err != nil {
				return nil, nil, err
			}
			for _, v := range items {
				if keep(v) {
					kept = append(kept, v)
				}
			}
			if seen += len(items); next == nil || len(kept) == most || seen >= maxSifted {
				return kept, next, nil
			}
			part.After = next
		}
	})
}

// Cut is Part for a list that is in memory, in the order of what place returns.
func Cut[T any](p Page, all []T, place func(T) string) (Items[T], error) {
	after, err := placeOf(p)
	if err != nil {
		return Items[T]{}, err
	}
	if after != nil {
		i := slices.IndexFunc(all, func(v T) bool { return place(v) > string(after) })
		if i < 0 {
			i = len(all)
		}
		all = all[i:]
	}
	if limit := limitOf(p); len(all) > limit {
		return Items[T]{Items: all[:limit], Next: cursorOf([]byte(place(all[limit-1])))}, nil
	}
	return Items[T]{Items: all}, nil
}

func limitOf(p Page) int {
	if p.Limit <= 0 {
		return PageLimit
	}
	return min(p.Limit, MaxPageLimit)
}

func placeOf(p Page) ([]byte, error) {
	if p.Cursor == "" {
		return nil, nil
	}
	after, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err != nil || len(after) == 0 {
		return nil, &ParameterError{Name: "cursor", Why: fmt.Sprintf(`is what the page before gave as "next", not %.40q`, p.Cursor)}
	}
	return after, nil
}

func cursorOf(place []byte) string { return base64.RawURLEncoding.EncodeToString(place) }

// Shown is a page with each item as it is shown.
func Shown[T, S any](page Items[T], show func(T) (S, error)) (Items[S], error) {
	out := Items[S]{Next: page.Next, Items: make([]S, len(page.Items))}
	for i, v := range page.Items {
		var err error
		if out.Items[i], err = show(v); err != nil {
			return Items[S]{}, err
		}
	}
	return out, nil
}
