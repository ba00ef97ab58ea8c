package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/source"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/web/problem"
)

// Sources shows what releases were made of.
type Sources interface {
	// ReleaseSource is registry.ErrNoSource for a release whose module does not say.
	ReleaseSource(ctx context.Context, app string, number int) (control.ReleaseSource, error)
}

// sources is the page of what a release was made of.
type sources struct {
	*frame
	pages   AppPages
	sources Sources
}

type sourceView struct {
	base
	control.ReleasePage
	Source control.ReleaseSource
	Since  int // the release that it is compared with; 0: none
	Files  []sourceFile
}

// sourceFile is a file as it is, and what changed in it.
type sourceFile struct {
	source.File
	Change string // as a unified diff; "" if nothing changed, or there is nothing to compare with
	Gone   bool   // it is not there any more
}

func (s *sources) show(r *http.Request) (string, any, error) {
	n, err := strconv.Atoi(r.PathValue("number"))
	if err != nil {
		return "", nil, problem.ErrNoSuchPage
	}
	b, err := s.base(r, fmt.Sprintf("%s release %d, source", r.PathValue("app"), n), "apps")
	if err != nil {
		return "", nil, err
	}
	page, err := s.pages.ReleasePage(r.Context(), r.PathValue("app"), n)
	if err != nil {
		return "", nil, err
	}
	v := sourceView{base: b, ReleasePage: page}
	if v.Source, err = s.sources.ReleaseSource(r.Context(), page.App.Name, n); err != nil {
		return "", nil, err
	}
	var before []source.File
	if v.Since = earlier(page); v.Since > 0 {
		was, err := s.sources.ReleaseSource(r.Context(), page.App.Name, v.Since)
		if errors.Is(err, registry.ErrNotFound) { // it has no source, or is gone
			v.Since = 0
		} else if err != nil {
			return "", nil, err
		}
		before = was.Files
	}
	v.Files = compared(before, v.Source.Files, v.Since)
	return "source", v, nil
}

// earlier is the release that the page's is compared with: another one that serves, in the highest tier,
// since this one would take its place, or else the one before.
func earlier(page control.ReleasePage) int {
	for _, tier := range slices.Backward(abi.Tiers()) {
		if n := page.App.Active[tier]; n > 0 && n != page.Release.Number {
			return n
		}
	}
	return page.Release.Number - 1
}

// compared are the files of a release, each with what changed since another.
func compared(before, now []source.File, since int) (all []sourceFile) {
	for _, f := range now {
		file := sourceFile{File: f}
		if since > 0 {
			old := ""
			if i := slices.IndexFunc(before, func(o source.File) bool { return o.Name == f.Name }); i >= 0 {
				old = before[i].Contents
			}
			file.Change = string(diff.Diff(fmt.Sprintf("%s, release %d", f.Name, since), []byte(old), f.Name+", this release", []byte(f.Contents)))
		}
		all = append(all, file)
	}
	for _, f := range before {
		if !slices.ContainsFunc(now, func(o source.File) bool { return o.Name == f.Name }) {
			all = append(all, sourceFile{File: f, Gone: true})
		}
	}
	return all
}
