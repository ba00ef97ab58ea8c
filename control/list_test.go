package control_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

// TestSift: whatever the size of pages and however rare what is wanted is, a walk gives each wanted
// item once, in order, and no page reads without end.
func TestSift(t *testing.T) {
	const n = 30_000
	for _, every := range []int{1, 2, 7, 25_000, 50_000} {
		for _, limit := range []int{3, 100, 1000} {
			if limit == 3 && every < 7 {
				continue // many pages, and no other case
			}
			var got, want []int
			for i := 1; i <= n; i++ {
				if i%every == 0 {
					want = append(want, i)
				}
			}
			reads := 0
			read := func(p state.Part) (items []int, next []byte, err error) {
				at, _ := strconv.Atoi(string(p.After))
				for at < n && len(items) < p.Limit {
					at++
					items = append(items, at)
				}
				if reads += len(items); at < n {
					next = []byte(strconv.Itoa(at))
				}
				return items, next, nil
			}
			for p := (control.Page{Limit: limit}); ; {
				reads = 0
				page, err := control.Sift(p, func(v int) bool { return v%every == 0 }, read)
				if err != nil || len(page.Items) > limit {
					t.Fatal(len(page.Items), err)
				}
				if reads > 11_000 {
					t.Fatalf("a page of every %dth read %d items", every, reads)
				}
				got = append(got, page.Items...)
				if p.Cursor = page.Next; page.Next == "" {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("every %dth, by %d: %d items, want %d", every, limit, len(got), len(want))
			}
		}
	}
}
