package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/agora-host/agora/web/problem"
)

// patterns are compiled once; they come from the route table alone.
var patterns sync.Map

func matches(pattern, text string) bool {
	re, ok := patterns.Load(pattern)
	if !ok {
		re, _ = patterns.LoadOrStore(pattern, regexp.MustCompile(pattern))
	}
	return re.(*regexp.Regexp).MatchString(text)
}

// checkText says why a text is not what a schema describes; "" if it is.
func (s *schema) checkText(text string) string {
	n := utf8.RuneCountInString(text)
	switch {
	case !s.has(text):
		return fmt.Sprintf("is one of %s, not %q", strings.Join(s.Enum, ", "), clip(text))
	case n < s.MinLength:
		return fmt.Sprintf("has at least %d characters", s.MinLength)
	case s.MaxLength > 0 && n > s.MaxLength:
		return fmt.Sprintf("has at most %d characters, not %d", s.MaxLength, n)
	case s.Format == "date-time" && !isMoment(text):
		return fmt.Sprintf("is a time such as 2026-12-01T06:00:00Z, not %q", clip(text))
	case s.ContentEncoding == "base64" && !matches(s.Pattern, text):
		return "is base64 with its padding"
	case s.Format == "date-time" && !isTime(text):
		return fmt.Sprintf("is a time such as 2026-01-31T08:00:00Z, and not %q", clip(text))
	case s.Pattern != "" && !matches(s.Pattern, text):
		return fmt.Sprintf("matches %s, and %q does not", s.Pattern, clip(text))
	}
	return ""
}

func isTime(text string) bool {
	_, err := time.Parse(time.RFC3339, text)
	return err == nil
}

// wholeNumber writes a whole number in digits alone, however it is written: JSON Schema takes 1.0 and
// 1e2 for integers, and encoding/json does not.
func wholeNumber(text string) string {
	if !strings.ContainsAny(text, ".eE") {
		return text
	}
	const exact = 1 << 53
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > exact {
		return text
	}
	return strconv.FormatInt(int64(f), 10)
}

// checkNumber says why a number as it is written is not what a schema describes; "" if it is.
func (s *schema) checkNumber(text string) string {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return "is a number too far from 0"
	case err != nil || strings.HasPrefix(text, "+"):
		return fmt.Sprintf("is a whole number, not %q", clip(text))
	case s.Minimum != nil && s.Maximum != nil && (n < *s.Minimum || n > *s.Maximum):
		return fmt.Sprintf("is a number from %d to %d, not %d", *s.Minimum, *s.Maximum, n)
	case s.Minimum != nil && n < *s.Minimum:
		return fmt.Sprintf("is at least %d, not %d", *s.Minimum, n)
	}
	return ""
}

// clip keeps what a caller sent short in what the caller is told.
func clip(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// documentReader reads a JSON document once, by its schema, before it is decoded. encoding/json by
// itself takes null for everything, the last of keys that are given twice, and keys in other
// letters.
type documentReader struct {
	d *json.Decoder
	*schemas
	raw []byte
}

// checkDocument refuses what is not one document as its schema describes it. It writes whole numbers
// in raw as encoding/json reads them.
func (d *schemas) checkDocument(raw []byte, s *schema) error {
	if !utf8.Valid(raw) {
		return fmt.Errorf("%w: the document is not UTF-8", problem.ErrBadRequest)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := (documentReader{dec, d, raw}).value("the document", s); err != nil {
		return fmt.Errorf("%w: %w", problem.ErrBadRequest, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: there is more after the JSON document", problem.ErrBadRequest)
	}
	return nil
}

// number checks a whole number and puts it, with blanks, where it stood: what the decoder has read it
// does not read again.
func (r documentReader) number(text string, s *schema) (why string) {
	digits := wholeNumber(text)
	if why = s.checkNumber(digits); why == "" && digits != text && len(digits) <= len(text) {
		end := int(r.d.InputOffset())
		copy(r.raw[end-len(text):end], digits+strings.Repeat(" ", len(text)-len(digits)))
	} else if why == "" && digits != text {
		why = "is a whole number in digits"
	}
	return why
}

func (r documentReader) value(at string, s *schema) error {
	token, err := r.d.Token()
	if errors.Is(err, io.EOF) {
		return errors.New("the document ends early")
	}
	if err != nil {
		return err
	}
	s = r.resolve(s)
	why := "is " + article(s.Type)
	switch v := token.(type) {
	case json.Delim:
		if v == '{' && s.Type == "object" {
			return r.object(at, s)
		}
		if v == '[' && s.Type == "array" {
			return r.array(at, s)
		}
	case string:
		if s.Type == "string" {
			why = s.checkText(v)
		}
	case json.Number:
		if s.Type == "integer" {
			why = r.number(v.String(), s)
		}
	case bool:
		if s.Type == "boolean" {
			why = ""
		}
	case nil:
		why += ", not null"
	}
	if why != "" {
		return fmt.Errorf("%s %s", at, why)
	}
	return nil
}

func article(kind string) string {
	switch kind {
	case "object", "array", "integer":
		return "an " + kind
	}
	return "a " + kind
}

func (r documentReader) array(at string, s *schema) error {
	for i := 0; r.d.More(); i++ {
		if err := r.value(fmt.Sprintf("%s[%d]", at, i), s.Items); err != nil {
			return err
		}
	}
	_, err := r.d.Token()
	return err
}

func (r documentReader) object(at string, s *schema) error {
	seen := map[string]bool{}
	for r.d.More() {
		token, err := r.d.Token()
		if err != nil {
			return err
		}
		key := token.(string)
		if seen[key] {
			return fmt.Errorf("%q is given twice", clip(key))
		}
		seen[key] = true
		property := s.Properties[key]
		if property == nil {
			if property, _ = s.Other.(*schema); property == nil {
				return fmt.Errorf("%q is not known here", clip(key))
			}
			if s.Names != nil {
				if why := s.Names.checkText(key); why != "" {
					return fmt.Errorf("a name in %s %s", at, why)
				}
			}
		}
		if err := r.value(strconv.Quote(clip(key)), property); err != nil {
			return err
		}
	}
	for _, key := range s.Required {
		if !seen[key] {
			return fmt.Errorf("%q is missing", key)
		}
	}
	_, err := r.d.Token()
	return err
}

func isMoment(text string) bool {
	_, err := time.Parse(time.RFC3339, text)
	return err == nil
}
