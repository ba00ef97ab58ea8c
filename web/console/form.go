package console

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
)

// field is one key of the manifest in the form of an upload.
type field struct {
	Name, Label, Help string
	Max               int      // bytes
	Long              bool     // more than a line
	Options           []option // of a field that has no other values
	Known             []string // values that apps of this node have
	Value, Error      string
}

type option struct{ Value, Label string }

type uploadView struct {
	base
	Manifest  string
	Fields    []field
	Errors    map[string]string // of what is no field of the manifest: module, manifest, bundle
	Problem   *abi.Problem
	MaxModule uint64
	Address   string // of an app
}

// starter is the manifest of an app that has nothing but an owner.
const starter = `name = ""
version = "1.0.0"
title = ""
description = ""
owner = %q
team = ""
cost_center = ""
data_classification = ""

[capabilities.log]
`

// classes are the meanings of the classifications, for the form.
var classes = map[string]string{
	"public":       "everyone may see it",
	"internal":     "everyone in the organisation may see it",
	"confidential": "only some people in the organisation may see it",
	"restricted":   "the most protected; does not enter the sandbox",
}

// address is where an app is.
func (up *uploads) address() string {
	if up.o.Secure {
		return "https://name." + up.o.AppsDomain + "/"
	}
	return "http://name." + up.o.AppsDomain + "/"
}

// fields are the keys that people fill in.
func (up *uploads) fields() []field {
	data := []option{{"", "Choose one"}}
	for _, word := range registry.Classifications() {
		data = append(data, option{word, word + ": " + classes[word]})
	}
	return []field{
		{Name: "name", Label: "Name", Max: 40, Help: "Small letters, digits and hyphens, such as expenses. It becomes the address " + up.address() + " and stays. To change an app of yours, write its name."},
		{Name: "title", Label: "Title", Max: 100, Help: "What people read in the catalogue, such as Expense claims."},
		{Name: "description", Label: "Purpose", Max: 2000, Long: true, Help: "What the app is for, in a sentence or two. Reviewers decide by it."},
		{Name: "team", Label: "Team", Max: 100, Help: "The team that is responsible for the app."},
		{Name: "cost_center", Label: "Cost center", Max: 64, Help: "It pays for what the app uses. Your team or finance knows it."},
		{Name: "data_classification", Label: "Data", Options: data, Help: "The most protected data that the app works with. Rules and reviewers ask for it."},
		{Name: "expected_users", Label: "Expected users", Max: 12, Help: "How many people will use it, if you know. A number."},
		{Name: "monthly_cents", Label: "Expected cost a month, in cents", Max: 12, Help: "What it will cost, if you know. A number."},
		{Name: "version", Label: "Version", Max: 64, Help: "Your own count of releases; any text."},
	}
}

// fieldNames are the names of the form's fields.
func (up *uploads) fieldNames() (names []string) {
	for _, f := range up.fields() {
		names = append(names, f.Name)
	}
	return names
}

// mostKnown is how many values of other apps a field offers.
const mostKnown = 200

func (up *uploads) view(r *http.Request) (uploadView, error) {
	b, err := up.base(r, "Upload a release", "upload")
	if err != nil {
		return uploadView{}, err
	}
	own, err := up.apps.Apps(r.Context(), registry.Search{Owner: b.Actor.User}, control.Page{Limit: control.MaxPageLimit})
	if err != nil {
		return uploadView{}, err
	}
	others, err := up.apps.Apps(r.Context(), registry.Search{}, control.Page{Limit: control.MaxPageLimit})
	if err != nil {
		return uploadView{}, err
	}
	v := uploadView{
		base: b, Manifest: fmt.Sprintf(starter, b.Actor.User), Fields: up.fields(), MaxModule: uint64(up.o.MaxModule), Address: up.address(),
		Errors: map[string]string{},
	}
	known := slices.Concat(own.Items, others.Items) // one's own come first
	for i := range v.Fields {
		f := &v.Fields[i]
		for _, a := range known {
			value := map[string]string{"team": a.Team, "cost_center": a.CostCenter}[f.Name]
			if f.Name == "name" && a.Owner == b.Actor.User {
				value = a.Name
			}
			if value != "" && len(f.Known) < mostKnown && !slices.Contains(f.Known, value) {
				f.Known = append(f.Known, value)
			}
		}
	}
	return v, nil
}

func (up *uploads) form(r *http.Request) (string, any, error) {
	if err := access.May(access.ActorFrom(r.Context()), access.Develop, access.TheNode); err != nil {
		return "", nil, err // before a module is sent in vain
	}
	v, err := up.view(r)
	return "upload", v, err
}
