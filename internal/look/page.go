package look

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
)

//go:embed page.css
var style string

// Functions are what the templates of pages call: style, within an element of that name.
var Functions = template.FuncMap{"style": func() template.CSS { return template.CSS(style) }}

// Policy is the Content-Security-Policy of a page. Its forms, if it has any, go to its own origin.
func Policy(forms bool) string {
	to := "'none'"
	if forms {
		to = "'self'"
	}
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action " + to + "; frame-ancestors 'none'"
}
