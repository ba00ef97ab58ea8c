package console

import (
	"fmt"
	"html/template"
	"io/fs"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/registry"
)

// cents writes an amount.
func cents(n any) string {
	c := unsigned(n)
	return fmt.Sprintf("%d.%02d", c/100, c%100)
}

var functions = template.FuncMap{
	"count":  humanize.Count,
	"bytes":  func(n any) string { return humanize.Bytes(unsigned(n)) },
	"micros": humanize.Micros,
	"ago": func(t, now time.Time) template.HTML {
		form := "ago"
		if now.Sub(t) >= 24*time.Hour {
			form = "day"
		}
		return timeElement(t, form, humanize.Ago(t, now))
	},
	"until": func(t, now time.Time) template.HTML {
		if t.Sub(now) >= 24*time.Hour {
			return timeElement(t, "full", t.UTC().Format(stampLayout))
		}
		return timeElement(t, "ago", humanize.Until(t, now))
	},
	"excerpt": func(b []byte) string { return humanize.Excerpt(b, 80) },
	// stamp is the plain text within an attribute: html/template leaves the element out there.
	"stamp": func(t time.Time) template.HTML { return timeElement(t, "full", t.UTC().Format(stampLayout)) },
	"clock": func(t time.Time) template.HTML { return timeElement(t, "clock", t.UTC().Format("15:04:05 MST")) },
	"kib":   func(n uint64) string { return humanize.Bytes(n << 10) },
	"short": func(d registry.Digest) string {
		s := strings.TrimPrefix(string(d), "sha256:")
		return s[:min(12, len(s))]
	},
	"ms":       func(d registry.Duration) string { return time.Duration(d).String() },
	"cents":    cents,
	"fault":    control.FaultWords,
	"phrase":   control.Phrase,
	"tiers":    abi.Tiers,
	"plural":   plural,
	"happened": func(kind string) string { return abi.EventKindNamed(kind).Meaning },
	// brief shortens a digest, which no one reads whole.
	"brief": func(s string) string {
		if digest, ok := strings.CutPrefix(s, "sha256:"); ok {
			return digest[:min(12, len(digest))] + "…"
		}
		return s
	},
	"initial": func(s string) string {
		for _, r := range s {
			return strings.ToUpper(string(r))
		}
		return "?"
	},
	"quantity": humanize.Param,
	// part numbers what one change did, after the first.
	"part": func(seq int) int { return seq + 1 },
}

// stampLayout is a time as a page says it, to the second, with its zone.
const stampLayout = "2006-01-02 15:04:05 MST"

// timeElement is a time in UTC, which times.js puts into the reader's zone in one of its forms.
func timeElement(t time.Time, form, text string) template.HTML {
	if t.IsZero() {
		return template.HTML(template.HTMLEscapeString(text))
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" data-form="%s" title="%s">%s</time>`,
		t.UTC().Format(time.RFC3339), form, t.UTC().Format(stampLayout), template.HTMLEscapeString(text)))
}

func unsigned(n any) uint64 {
	switch v := n.(type) {
	case uint64:
		return v
	case int64:
		return uint64(max(0, v))
	case int:
		return uint64(max(0, v))
	case registry.Size:
		return uint64(max(0, v))
	case registry.Count:
		return uint64(max(0, v))
	}
	panic(fmt.Sprintf("BUG: %T is no size", n))
}

func plural(n any, one, many string) string { return humanize.Plural(unsigned(n), one, many) }

// parse prepares every page: the layout and the shared parts with each page's
// own blocks.
func (f *frame) parse() error {
	pages, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return err
	}
	f.templates = map[string]*template.Template{}
	for _, path := range pages {
		name := strings.TrimSuffix(strings.TrimPrefix(path, "templates/"), ".html")
		if name == "layout" || name == "parts" {
			continue
		}
		t, err := template.New(name).Funcs(functions).Option("missingkey=error").
			ParseFS(files, "templates/layout.html", "templates/parts.html", path)
		if err != nil {
			return fmt.Errorf("page %s: %w", name, err)
		}
		f.templates[name] = t
	}
	return nil
}
