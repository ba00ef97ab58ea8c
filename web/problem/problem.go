package problem

import (
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/internal/look"
	"github.com/agora-host/agora/registry"
)

//go:embed pages.html
var source embed.FS

// policy lets the pages here use their own style, and nothing else.
var policy = look.Policy(false)

var pages = template.Must(template.New("").Funcs(look.Functions).ParseFS(source, "pages.html"))

// invocationHeader carries the id of the call, as the gateway sets it.
const invocationHeader = "Agora-Invocation"

// of finds the kind of an error.
func of(err error) Entry {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		err = registry.ErrTooLarge
	}
	i := slices.IndexFunc(table, func(e Entry) bool {
		return slices.ContainsFunc(e.errs, func(s error) bool { return errors.Is(err, s) })
	})
	if i < 0 {
		return internal
	}
	return table[i]
}

// Internal reports whether an error is the node's own trouble: it belongs into
// the node's log. A refusal that clients can cause at will is none, however many ask.
func Internal(err error) bool {
	e := of(err)
	return e.Status >= 500 && !e.expected && !isFault(err)
}

func isFault(err error) bool { return abi.FaultKind(err) != "internal" }

// For is an error as its reader is told.
func For(err error) abi.Problem {
	e := of(err)
	p := abi.Problem{Type: "/problems/" + e.Slug, Title: e.Title, Status: e.Status, Detail: cmp.Or(humanize.Chain(err.Error(), e.Title), e.Meaning), Remedy: e.Remedy}
	p.Remedy.Docs = p.Type
	if e.Slug == internal.Slug {
		p.Detail = e.Meaning // what went wrong inside is for the log
	}
	if refusal, ok := errors.AsType[*control.Refusal](err); ok {
		p.Findings, p.Detail = refusal.Findings, refusal.Reasons()
		p.Remedy.Commands = []string{refusal.Check()}
	}
	if bad, ok := errors.AsType[*control.ScriptError](err); ok {
		p.Findings = bad.Findings
	}
	if over, ok := errors.AsType[*control.OverQuota](err); ok {
		p.Remedy.Summary, p.Remedy.Commands = over.Quota.Remedy.Summary, append([]string{"agora quotas list"}, over.Quota.Remedy.Commands...)
	}
	if bad, ok := errors.AsType[*control.ParameterError](err); ok {
		p.Parameter = bad.Name
	}
	if bad, ok := errors.AsType[*registry.ManifestError](err); ok {
		p.Findings = bad.Findings()
	}
	return p
}

// Write responds to a request to the API with a problem document.
func Write(w http.ResponseWriter, err error) {
	if lacks, ok := errors.AsType[*access.ScopeError](err); ok { // as RFC 6750 says it
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="agora", error="insufficient_scope", scope="%s"`, lacks.Missing))
	}
	retryWhen(w, err)
	write(w, For(err))
}

func write(w http.ResponseWriter, p abi.Problem) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	retryLater(w, p.Status)
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="agora"`)
	}
	w.WriteHeader(p.Status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(p)
}

func page(w http.ResponseWriter, status int, name string, data any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = pages.ExecuteTemplate(w, name, data)
}

// Catalogue lists every kind of problem.
func Catalogue() []Entry { return slices.Clone(table) }

// Handler serves the page that a problem's type leads to, below /problems/.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		slug := strings.TrimPrefix(r.URL.Path, "/problems/")
		if slug == "" {
			page(w, http.StatusOK, "catalogue", table)
			return
		}
		i := slices.IndexFunc(table, func(e Entry) bool { return e.Slug == slug })
		if i < 0 {
			page(w, http.StatusNotFound, "catalogue", table)
			return
		}
		page(w, http.StatusOK, "entry", table[i])
	})
}
