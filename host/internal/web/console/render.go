package console

import (
	"fmt"
	"html/template"
	"io/fs"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/registry"
)

var functions = template.FuncMap{
	"count":   humanize.Count,
	"bytes":   func(n any) string { return humanize.Bytes(unsigned(n)) },
	"micros":  humanize.Micros,
	"ago":     func(t, now time.Time) string { return humanize.Ago(t, now) },
	"until":   humanize.Until,
	"excerpt": func(b []byte) string { return humanize.Excerpt(b, 80) },
	"stamp":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") },
	"clock":   func(t time.Time) string { return t.UTC().Format("15:04:05") },
	"short": func(d registry.Digest) string {
		s := strings.TrimPrefix(string(d), "sha256:")
		return s[:min(12, len(s))]
	},
	"ms":     func(d registry.Duration) string { return time.Duration(d).String() },
	"tiers":  abi.Tiers,
	"plural": plural,
	"happened": func(kind string) string {
		if words, ok := happenings[kind]; ok {
			return words
		}
		return kind
	},
	// brief shortens a digest, which nobody reads whole.
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

// happenings are the kinds of events, in the words of the page.
var happenings = map[string]string{
	"release.published": "uploaded release", "release.activated": "let a tier serve release", "release.rolled_back": "rolled back to release",
	"request.opened": "asked", "request.approved": "approved", "request.rejected": "rejected", "request.withdrawn": "took back",
	"grant.added": "granted", "grant.revoked": "revoked a grant", "grant.shrunk": "shrunk a grant",
	"secret.set": "set the secret", "secret.deleted": "deleted the secret", "secrets.rotated": "sealed all secrets anew with key",
	"trigger.paused": "paused the trigger", "trigger.resumed": "resumed the trigger", "trigger.run": "ran the trigger",
	"letter.redelivered": "delivered again dead letter", "letter.dropped": "dropped dead letter",
	"host.added": "gave the address", "host.removed": "took away the address",
	"user.changed": "changed a user", "user.invited": "made a sign-in link", "user.signed_in": "signed in",
	"token.created": "made a token", "token.revoked": "revoked a token", "key.added": "added a key", "key.deleted": "distrusted a key",
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
	}
	panic(fmt.Sprintf("BUG: %T is no size", n))
}

func plural(n any, one, many string) string {
	if v := unsigned(n); v != 1 {
		return fmt.Sprintf("%s %s", humanize.Count(v), many)
	}
	return "1 " + one
}

// parse prepares every page: the layout and the shared parts with each page's
// own blocks.
func (c *Console) parse() error {
	pages, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return err
	}
	c.pages = map[string]*template.Template{}
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
		c.pages[name] = t
	}
	return nil
}
