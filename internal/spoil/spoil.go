package spoil

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

const page = 4096

// Bytes damages a copy of bytes, and says how. The copy may be as it was, if a
// page was written over one that is the same.
func Bytes(r *rand.Rand, b []byte) ([]byte, string) {
	b = append([]byte{}, b...)
	if len(b) == 0 {
		return []byte{0}, "one byte where there was none"
	}
	at := r.IntN(len(b))
	start := at / page * page
	end := min(start+page, len(b))
	switch r.IntN(6) {
	case 0, 1:
		bit := byte(1) << r.IntN(8)
		b[at] ^= bit
		return b, fmt.Sprintf("bit %#x of byte %d", bit, at)
	case 2:
		clear(b[start:end])
		return b, fmt.Sprintf("page %d zeroed", start/page)
	case 3:
		for i := at; i < min(at+512, len(b)); i++ {
			b[i] = byte(r.Uint32())
		}
		return b, fmt.Sprintf("noise at %d", at)
	case 4:
		other := r.IntN(max(1, len(b)/page)) * page
		copy(b[start:end], b[other:])
		return b, fmt.Sprintf("page %d over page %d", other/page, start/page)
	}
	return b[:at], fmt.Sprintf("cut to %d", at)
}

// Times is how many times a test damages something: AGORA_CORRUPTIONS, or 100.
func Times(t testing.TB) int {
	text := os.Getenv("AGORA_CORRUPTIONS")
	if text == "" {
		return 100
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
