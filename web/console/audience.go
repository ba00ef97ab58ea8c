package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web"
)

// audiences is who may open apps, on their pages.
type audiences struct {
	*frame
	all web.Audiences
}

// audienceView is the part of an app's page about who may open it.
type audienceView struct {
	Tiers []control.Audience
	Asked []access.AccessRequest // those who wait first
}

// of reads what a page of an app shows to a person who may read it.
func (a *audiences) of(r *http.Request, app string, acts []string) (*audienceView, error) {
	if !slices.Contains(acts, string(access.ReadAudience)) {
		return nil, nil
	}
	tiers, err := a.all.Audiences(r.Context(), app)
	if err != nil {
		return nil, err
	}
	asked, err := a.all.AccessRequests(r.Context(), app)
	return &audienceView{tiers, asked}, err
}

// Kinds are all kinds of audiences.
func (audienceView) Kinds() []access.AudienceKind { return access.AudienceKinds() }

// Lines is a list, one of it on a line.
func (audienceView) Lines(list []string) string { return strings.Join(list, "\n") }

func anAudience(r *http.Request) control.Document {
	return control.Document{Kind: control.DocumentAudience, ID: r.PathValue("app"), Tier: abi.Tier(r.PathValue("tier"))}
}

func (a *audiences) set(r *http.Request) (string, error) {
	as := access.Audience{App: r.PathValue("app"), Tier: abi.Tier(r.PathValue("tier")), Kind: access.AudienceKind(r.FormValue("kind"))}
	if as.Kind == access.AudiencePeople { // the other kinds name nobody, and what was typed is of no use to them
		as.People, as.Groups = strings.Fields(r.FormValue("people")), linesOf(r.FormValue("groups"))
	}
	now, err := a.all.SetAudience(r.Context(), as, r.FormValue("reason"))
	if err == nil && now.Waiting != "" {
		return appPage(r, "asked"), nil
	}
	return appPage(r, "opened"), err
}

// linesOf are the lines of a text that say something.
func linesOf(text string) (lines []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func (a *audiences) answer(r *http.Request) (string, error) {
	grant := r.FormValue("verdict") == "grant"
	_, err := a.all.AnswerAccess(r.Context(), r.PathValue("app"), abi.Tier(r.FormValue("tier")), r.FormValue("person"), grant, r.FormValue("reason"))
	if grant {
		return appPage(r, "admitted"), err
	}
	return appPage(r, "turned"), err
}
