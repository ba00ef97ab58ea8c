package control

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/agora-host/agora/registry"
)

// PlainText refuses a text that people wrote if it is too long, or does not print.
func PlainText(what, text string, most int) error {
	if len(text) > most || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' }) {
		return fmt.Errorf("the %s is a text of at most %d bytes, without control characters: %w", what, most, registry.ErrBadText)
	}
	return nil
}
