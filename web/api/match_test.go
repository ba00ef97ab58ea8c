package api

import (
	"net/http"
	"slices"
	"testing"
)

// TestTagsIn: which headers name which tags.
func TestTagsIn(t *testing.T) {
	for _, c := range []struct {
		name         string
		values       []string
		strong, weak []string // that are read for If-Match, and for If-None-Match
		any, bad     bool
	}{
		{name: "one", values: []string{`"a"`}, strong: []string{`"a"`}, weak: []string{`"a"`}},
		{name: "weak ones never match strongly", values: []string{`W/"a", "b"`}, strong: []string{`"b"`}, weak: []string{`"a"`, `"b"`}},
		{name: "several headers are one list", values: []string{`"a"`, `"b" ,"c"`}, strong: []string{`"a"`, `"b"`, `"c"`}, weak: []string{`"a"`, `"b"`, `"c"`}},
		{name: "a comma within a tag", values: []string{`"a,b"`}, strong: []string{`"a,b"`}, weak: []string{`"a,b"`}},
		{name: "the empty tag", values: []string{`""`}, strong: []string{`""`}, weak: []string{`""`}},
		{name: "anything", values: []string{" * "}, any: true},
		{name: "anything and a tag", values: []string{`*, "a"`}, bad: true},
		{name: "no quotation marks", values: []string{"a"}, bad: true},
		{name: "nothing", values: []string{""}, bad: true},
		{name: "a tag that does not end", values: []string{`"a`}, bad: true},
		{name: "lower-case weakness", values: []string{`w/"a"`}, bad: true},
		{name: "too many", values: slices.Repeat([]string{`"a"`}, maxTags+1), bad: true},
	} {
		for strong, want := range map[bool][]string{true: c.strong, false: c.weak} {
			got, err := tagsIn(http.Header{matchHeader: c.values}, matchHeader, strong)
			if (err != nil) != c.bad {
				t.Errorf("%s: %v", c.name, err)
			} else if err == nil && (got.Any != c.any || !slices.Equal(got.List, want)) {
				t.Errorf("%s, strong %v: %+v, want %v", c.name, strong, got, want)
			}
		}
	}
	if got, err := tagsIn(http.Header{}, matchHeader, true); got != nil || err != nil {
		t.Errorf("no header: %+v, %v", got, err)
	}
}

// TestDocumentsHaveBoth: each document that has a tag can be read with it.
func TestDocumentsHaveBoth(t *testing.T) {
	reads, writes := 0, 0
	for _, r := range routes() {
		if r.of != nil && r.method == http.MethodGet {
			reads++
		}
		if r.match() {
			writes++
		}
		if r.repeatable && r.match() {
			t.Errorf("%s is held to a document, and changes none", r.id)
		}
	}
	if reads != 7 || writes < 15 {
		t.Errorf("%d reads and %d writes have tags", reads, writes)
	}
}
