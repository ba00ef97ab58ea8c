package host

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Secrets are taken out of what an app writes to its log, as far as they can be
// recognised: the value itself, each line of one that has several, and the value
// in base64, hexadecimal, percent and JSON encoding. An app that wants to give a
// secret away finds another form; this is against accidents.
const (
	// shortSecret is the least that is looked for, in bytes. What is shorter would
	// be found everywhere.
	shortSecret = 4
	// shortForm is the least of what stands for a secret in another form.
	shortForm = 8
	// maxRedacted bounds how many values of one app are looked for.
	maxRedacted = 200
)

// redactors are the redactors of all apps.
type redactors struct{ byApp sync.Map }

func (r *redactors) of(app string) *redactor {
	if found, ok := r.byApp.Load(app); ok {
		return found.(*redactor)
	}
	found, _ := r.byApp.LoadOrStore(app, &redactor{})
	return found.(*redactor)
}

// redactor knows the secrets of one app: those it has, and those it had since
// the node started.
type redactor struct {
	loaded sync.Once

	mu     sync.RWMutex // guards all below
	known  []redacted   // newest last
	forms  []form
	finder *strings.Replacer // nil: to be made from forms
}

type redacted struct{ name, value string }

// form is one way to write a secret.
type form struct{ text, name string }

// load has the app's secrets added the first time.
func (r *redactor) load(fill func(add func(name string, value []byte))) {
	r.loaded.Do(func() { fill(r.add) })
}

func (r *redactor) add(name string, value []byte) {
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
	r.forms, r.finder = nil, nil
	for _, k := range slices.Backward(r.known) {
		for _, text := range writtenAs(k.value) {
			r.forms = append(r.forms, form{text, k.name})
		}
	}
}

// redact answers a message without the secrets, and the names of those it had.
func (r *redactor) redact(message string) (clean string, names []string) {
	r.mu.RLock()
	forms := r.forms
	r.mu.RUnlock()
	for _, f := range forms {
		if strings.Contains(message, f.text) && !slices.Contains(names, f.name) {
			names = append(names, f.name)
		}
	}
	if len(names) == 0 {
		return message, nil
	}
	return r.replacer().Replace(message), names
}

func (r *redactor) replacer() *strings.Replacer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.finder == nil {
		var pairs []string
		for _, f := range r.forms {
			pairs = append(pairs, f.text, "[secret "+f.name+"]")
		}
		r.finder = strings.NewReplacer(pairs...)
	}
	return r.finder
}

// writtenAs are the forms of a value, the longer before those that are in them.
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
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			add(inBase64(encoding, value, before))
		}
	}
	add(hex.EncodeToString([]byte(value)))
	add(strings.ToUpper(hex.EncodeToString([]byte(value))))
	add(url.QueryEscape(value))
	add(url.PathEscape(value))
	if quoted, err := json.Marshal(value); err == nil {
		add(strings.Trim(string(quoted), `"`))
	}
	add(strings.Trim(strconv.Quote(value), `"`))
	slices.SortStableFunc(forms, func(a, b string) int { return len(b) - len(a) })
	return forms
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
