//go:build wasip1

// Command gojson is a kernel in Go: it writes records as JSON, reads them back
// and sorts them, with the standard library and its garbage collector.
package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
)

type record struct {
	ID    int               `json:"id"`
	Name  string            `json:"name"`
	Score float64           `json:"score"`
	Tags  []string          `json:"tags"`
	Attrs map[string]string `json:"attrs"`
}

//go:wasmexport run
func run(rounds int32) int64 {
	sum := fnv.New64a()
	for round := range rounds {
		text, err := json.Marshal(records(200, uint32(round)))
		if err != nil {
			panic(err)
		}
		var back []record
		if err := json.Unmarshal(text, &back); err != nil {
			panic(err)
		}
		slices.SortFunc(back, func(a, b record) int {
			return cmp.Or(cmp.Compare(a.Score, b.Score), cmp.Compare(a.Name, b.Name))
		})
		for _, r := range back {
			fmt.Fprintf(sum, "%d %s %g %v|", r.ID, r.Name, r.Score, r.Attrs)
		}
	}
	return int64(sum.Sum64())
}

func records(n int, seed uint32) []record {
	next := func() uint32 { // Numerical Recipes' generator
		seed = seed*1664525 + 1013904223
		return seed >> 8
	}
	all := make([]record, n)
	for i := range all {
		all[i] = record{
			ID: i, Name: fmt.Sprintf("record-%06d", next()%1_000_000), Score: float64(next()%10_000) / 8,
			Tags:  []string{"red", "green", fmt.Sprint("tag", next()%100)},
			Attrs: map[string]string{"owner": fmt.Sprint("user", next()%50), "quote": "\"é\"\n"},
		}
	}
	return all
}

func main() {}
