package redact

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"unicode/utf16"
)

const (
	// shortSecret is the least that is looked for, in bytes. What is shorter would
	// be found everywhere.
	shortSecret = 4
	// shortForm is the least of what stands for a secret in another form.
	shortForm = 8
	// maxRedacted bounds how many values of one app are looked for.
	maxRedacted = 200
	// maxViews bounds in how many ways one message is read.
	maxViews = 40
	// cutAt is the length at which messages are cut, perhaps within a secret.
	cutAt = 8 << 10
)

// Redactor knows the secrets of one app: those it has, and those it had since the node started.
type Redactor struct {
	loaded sync.Once

	mu     sync.RWMutex // guards all below
	known  []redacted   // newest last
	finder *finder      // nil: nothing is looked for
}

type redacted struct{ name, value string }

// form is one way to write a secret.
type form struct{ text, name string }

// Load has the app's secrets added the first time.
func (r *Redactor) Load(fill func(add func(name string, value []byte))) {
	r.loaded.Do(func() { fill(r.Add) })
}

// Add has a value looked for from now on. One that is too short would be found everywhere, and is not.
func (r *Redactor) Add(name string, value []byte) {
	if len(value) < shortSecret {
		return
	}
	s := redacted{name, string(value)}
	r.mu.RLock()
	known := slices.Contains(r.known, s)
	r.mu.RUnlock()
	if known {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = append(r.known, s)
	if len(r.known) > maxRedacted {
		r.known = slices.Delete(r.known, 0, 1)
	}
	r.finder = nil
}

// finding returns what finds the secrets, nil if there are none.
func (r *Redactor) finding() *finder {
	r.mu.RLock()
	f, none := r.finder, len(r.known) == 0
	r.mu.RUnlock()
	if f != nil || none {
		return f
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.finder == nil {
		r.finder = &finder{byStart: map[uint32][]form{}}
		for _, k := range slices.Backward(r.known) {
			for _, text := range writtenAs(k.value) {
				r.finder.learn(form{text, k.name})
			}
		}
	}
	return r.finder
}

// Redact returns a message without the secrets, and the names of those it had.
func (r *Redactor) Redact(message string) (clean string, names []string) {
	finder := r.finding()
	if finder == nil {
		return message, nil
	}
	var found []span
	views(message, func(v view) {
		finder.find(v.text, len(message) >= cutAt, func(from, to int, name string) {
			found = append(found, span{v.origin(from), v.origin(to), name})
		})
	})
	if len(found) == 0 {
		return message, nil
	}
	return without(message, found)
}

// span is where a message has a secret.
type span struct {
	from, to int
	name     string
}

// without puts names in the place of secrets. Where several overlap, they go as one.
func without(message string, found []span) (clean string, names []string) {
	slices.SortFunc(found, func(a, b span) int { return a.from - b.from })
	var b strings.Builder
	end := 0
	for _, s := range found {
		if !slices.Contains(names, s.name) {
			names = append(names, s.name)
		}
		if s.from >= end {
			b.WriteString(message[end:s.from])
			b.WriteString("[secret " + s.name + "]")
		}
		end = max(end, s.to)
	}
	b.WriteString(message[end:])
	return b.String(), names
}

// finder looks for many texts at once, by their first four bytes. It is not changed once it is
// used.
type finder struct {
	byStart map[uint32][]form
	likely  [1 << 10]uint64 // a bit for the hash of each start
}

func hashOf(start uint32) uint32 { return start * 2654435761 >> 16 }

func (f *finder) learn(one form) {
	start := binary.LittleEndian.Uint32([]byte(one.text))
	f.likely[hashOf(start)/64] |= 1 << (hashOf(start) % 64)
	f.byStart[start] = append(f.byStart[start], one)
}

// find calls hit with where each text stands. If what is looked at was cut, it may end within one.
func (f *finder) find(text []byte, cut bool, hit func(from, to int, name string)) {
	effort := 64 * len(text) // bounds comparing where texts repeat themselves
	for i := 0; i+shortSecret <= len(text); i++ {
		start := binary.LittleEndian.Uint32(text[i:])
		if f.likely[hashOf(start)/64]&(1<<(hashOf(start)%64)) == 0 {
			continue
		}
		rest, most := text[i:], 0
		for _, one := range f.byStart[start] {
			n := len(one.text)
			if n > len(rest) {
				if n = len(rest); !cut || n < shortForm {
					continue
				}
			}
			if string(rest[:n]) == one.text[:n] {
				hit(i, i+n, one.name)
				most = max(most, n)
			}
			effort -= n
		}
		if effort < 0 {
			i += max(most-1, 0)
		}
	}
}

// writtenAs are the forms of a value that no encoding of unescape.go leads to.
func writtenAs(value string) []string {
	forms := []string{value}
	add := func(text string) {
		if len(text) >= shortForm && !slices.Contains(forms, text) {
			forms = append(forms, text)
		}
	}
	for line := range strings.Lines(value) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-----") {
			add(line)
		}
	}
	add(inUTF16(value))
	for _, text := range []string{value, inUTF16(value)} {
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			for before := range 3 {
				add(inBase64(encoding, text, before))
			}
		}
	}
	return forms
}

// inUTF16 is a value in little-endian UTF-16, as some systems encode what they then write in base64.
func inUTF16(value string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(value)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return string(b)
}

// inBase64 is how a value looks within base64 of something longer, with so many
// bytes before it modulo 3: without the characters that its neighbours share.
func inBase64(encoding *base64.Encoding, value string, before int) string {
	text := encoding.EncodeToString(append(make([]byte, before), value...))
	start := []int{0, 2, 3}[before]
	if (before+len(value))%3 != 0 {
		return text[start : len(text)-1]
	}
	return text[start:]
}
