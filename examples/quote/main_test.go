package main

import "testing"

func TestPrice(t *testing.T) {
	for pieces, want := range map[int]string{1: "12.50", 99: "1237.50", 100: "1125.00", 1000: "10000.00"} {
		if got := price(pieces).Total; got != want {
			t.Errorf("%d pieces: %s, want %s", pieces, got, want)
		}
	}
}
