package console

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/host/internal/web"
	"github.com/agora-host/agora/host/internal/web/intake"
	"github.com/agora-host/agora/host/internal/web/problem"
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
	"public":       "anybody may see it",
	"internal":     "everybody in the organisation may see it",
	"confidential": "only some people in the organisation may see it",
	"restricted":   "the most protected; does not enter the sandbox",
}

// address is where an app is.
func (c *Console) address() string {
	if c.o.Secure {
		return "https://name." + c.o.AppsDomain + "/"
	}
	return "http://name." + c.o.AppsDomain + "/"
}

// fields are the keys that people fill in.
func (c *Console) fields() []field {
	data := []option{{"", "Choose one"}}
	for _, word := range registry.Classifications() {
		data = append(data, option{word, word + ": " + classes[word]})
	}
	return []field{
		{Name: "name", Label: "Name", Max: 40, Help: "Small letters, digits and hyphens, such as expenses. It becomes the address " + c.address() + " and stays. To change an app of yours, write its name."},
		{Name: "title", Label: "Title", Max: 100, Help: "What people read in the catalogue, such as Expense claims."},
		{Name: "description", Label: "Purpose", Max: 2000, Long: true, Help: "What the app is for, in a sentence or two. Reviewers decide by it."},
		{Name: "team", Label: "Team", Max: 100, Help: "The team that answers for the app."},
		{Name: "cost_center", Label: "Cost center", Max: 64, Help: "It pays for what the app uses. Your team or finance knows it."},
		{Name: "data_classification", Label: "Data", Options: data, Help: "The most protected data that the app works with. Rules and reviewers ask for it."},
		{Name: "version", Label: "Version", Max: 64, Help: "Your own count of releases; any text."},
	}
}

// fieldNames are the names of the form's fields.
func (c *Console) fieldNames() (names []string) {
	for _, f := range c.fields() {
		names = append(names, f.Name)
	}
	return names
}

// mostKnown is how many values of other apps a field offers.
const mostKnown = 200

func (c *Console) uploadView(r *http.Request) (uploadView, error) {
	b, err := c.base(r, "Upload a release", "upload")
	if err != nil {
		return uploadView{}, err
	}
	apps, err := c.node.Apps(r.Context(), registry.Search{}, web.Page{Limit: web.MaxPageLimit})
	if err != nil {
		return uploadView{}, err
	}
	v := uploadView{
		base: b, Manifest: fmt.Sprintf(starter, b.Actor.User), Fields: c.fields(), MaxModule: uint64(c.o.MaxModule), Address: c.address(),
		Errors: map[string]string{},
	}
	own := func(a web.App) bool { return a.Owner == b.Actor.User }
	slices.SortStableFunc(apps.Items, func(x, y web.App) int { return cmp.Compare(btoi(own(y)), btoi(own(x))) })
	for i := range v.Fields {
		f := &v.Fields[i]
		for _, a := range apps.Items {
			value := map[string]string{"team": a.Team, "cost_center": a.CostCenter}[f.Name]
			if f.Name == "name" && own(a) {
				value = a.Name
			}
			if value != "" && len(f.Known) < mostKnown && !slices.Contains(f.Known, value) {
				f.Known = append(f.Known, value)
			}
		}
	}
	return v, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (c *Console) uploadForm(r *http.Request) (string, any, error) {
	if err := access.Require(access.ActorFrom(r.Context()), access.RoleDeveloper); err != nil {
		return "", nil, err // before a module is sent in vain
	}
	v, err := c.uploadView(r)
	return "upload", v, err
}

// upload publishes what a form holds. The page's own program is told each step as a line of JSON;
// a browser without it is given a page, and the form as it was if it was refused.
func (c *Console) upload(w http.ResponseWriter, r *http.Request) {
	var lines *uploadLines
	if strings.Contains(r.Header.Get("Accept"), "application/x-ndjson") {
		lines = &uploadLines{w: w}
	}
	r, err := c.signedIn(r)
	var published web.Published
	var sent sentForm
	if err != nil {
		intake.Refuse(w, r)
	} else {
		published, sent, err = c.publish(w, r, lines.stage)
	}
	if problem.Internal(err) {
		c.log.ErrorContext(r.Context(), "upload failed", "err", err)
	}
	switch {
	case err != nil && lines != nil:
		c.refuseLines(r, lines, err)
	case err != nil:
		c.refusePage(w, r, sent, err)
	case lines != nil:
		lines.send(uploadLine{Next: afterUpload(published)}, http.StatusOK)
	default:
		redirect(w, r, afterUpload(published))
	}
}

// afterUpload is the page that says what became of an upload.
func afterUpload(p web.Published) string {
	done := "published"
	if !p.Active {
		done = "waiting"
	}
	return fmt.Sprintf("/apps/%s/releases/%d?done=%s", p.Release.App, p.Release.Number, done)
}

// uploadLine is a line of an upload's answer: a stage that begins, or the end.
type uploadLine struct {
	Stage   string         `json:"stage,omitempty"`
	Next    string         `json:"next,omitempty"` // the page of the new release
	Problem *uploadProblem `json:"problem,omitempty"`
}

// uploadProblem is a refusal as the page shows it.
type uploadProblem struct {
	HTML   string            `json:"html"`   // the same summary that a page has
	Fields map[string]string `json:"fields"` // what is wrong, by the field's name
}

// uploadLines writes an answer line by line. A nil one is no answer of that kind.
type uploadLines struct {
	w     http.ResponseWriter
	begun bool
}

func (l *uploadLines) stage(name string) {
	if l != nil {
		l.send(uploadLine{Stage: name}, http.StatusOK)
	}
}

// send writes a line; the first has the answer's status.
func (l *uploadLines) send(line uploadLine, status int) {
	if !l.begun {
		l.begun = true
		h := l.w.Header()
		h.Set("Content-Type", "application/x-ndjson")
		h.Set("Cache-Control", "no-store")
		l.w.WriteHeader(status)
	}
	if json.NewEncoder(l.w).Encode(line) == nil {
		_ = http.NewResponseController(l.w).Flush() // a browser that left is no reason to stop
	}
}

func (c *Console) refuseLines(r *http.Request, lines *uploadLines, err error) {
	p := problem.For(err)
	var b bytes.Buffer
	if err := c.pages["upload"].ExecuteTemplate(&b, "upload-problem", p); err != nil {
		c.log.ErrorContext(r.Context(), "render an upload's problem", "err", err)
	}
	lines.send(uploadLine{Problem: &uploadProblem{HTML: b.String(), Fields: c.fieldErrors(p, err)}}, p.Status)
}

// refusePage shows the form with what was written in it, and with what to do.
func (c *Console) refusePage(w http.ResponseWriter, r *http.Request, sent sentForm, err error) {
	view, viewErr := c.uploadView(r)
	if viewErr != nil || errors.Is(err, access.ErrUnauthenticated) || errors.Is(err, access.ErrForbidden) {
		c.failed(w, r, err)
		return
	}
	p := problem.For(err)
	view.Problem, view.Errors = &p, c.fieldErrors(p, err)
	if len(sent.manifest) > 0 {
		view.Manifest = string(sent.manifest)
	}
	for i := range view.Fields {
		f := &view.Fields[i]
		f.Value, f.Error = cmp.Or(sent.values[f.Name], f.Value), view.Errors[f.Name]
	}
	c.render(w, r, p.Status, "upload", view)
}

// byKind is the part of the form that a kind of problem without findings is about.
var byKind = map[string]string{
	"bad-module": "module", "module-too-heavy": "module", "module-feature": "module", "unsupported-module": "module",
	"app-cannot-start": "module", "bad-static-files": "module", "too-large": "module",
	"unsigned": "bundle", "bad-signature": "bundle", "untrusted-signer": "bundle",
	"not-owner": "name", "bad-manifest": "manifest",
}

var errNoModule = fmt.Errorf("%w: choose the .wasm file to upload", problem.ErrBadRequest)

// fieldErrors says which parts of the form a problem is about, and what is wrong with each.
func (c *Console) fieldErrors(p abi.Problem, err error) map[string]string {
	all, names := map[string]string{}, c.fieldNames()
	for _, f := range p.Findings {
		if f.Severity != abi.SeverityDeny {
			continue
		}
		where := "manifest"
		if slices.Contains(names, f.Path) {
			where = f.Path
		}
		all[where] = strings.TrimSpace(all[where] + " " + sentence(f.Message) + " " + f.Remedy.Summary)
	}
	if where := byKind[strings.TrimPrefix(p.Type, "/problems/")]; len(all) == 0 && where != "" {
		all[where] = sentence(p.Detail)
	}
	if errors.Is(err, errNoModule) {
		all["module"] = "Choose the .wasm file to upload."
	}
	return all
}

// sentence ends a text with a full stop.
func sentence(text string) string { return strings.TrimSuffix(text, ".") + "." }

// sentForm is the text of a form that was sent.
type sentForm struct {
	manifest []byte
	values   map[string]string // by field
}

// publish reads the form. A module that is not signed yet is signed for the actor: the session is
// the proof of identity, as a token is for the command.
func (c *Console) publish(w http.ResponseWriter, r *http.Request, stage func(string)) (p web.Published, sent sentForm, err error) {
	done, err := c.beginUpload(w, r)
	if err != nil {
		intake.Refuse(w, r)
		return p, sent, err
	}
	defer done()
	form, err := intake.ReadForm(r, c.node, append(c.fieldNames(), "manifest", "manifest_file", "module", "bundle")...)
	if err != nil {
		return p, sent, err
	}
	defer form.Discard()
	sent = c.sent(form)
	u := web.Upload{Manifest: sent.manifest, Module: form.Module, Bundle: form.Parts["bundle"]}
	u.Sign = len(u.Bundle) == 0
	if u.Module == nil || u.Module.Size() == 0 {
		return p, sent, errNoModule
	}
	p, err = c.node.Publish(r.Context(), u, stage)
	return p, sent, err
}

// beginUpload judges an upload by its head.
func (c *Console) beginUpload(w http.ResponseWriter, r *http.Request) (done func(), err error) {
	if err := access.Require(access.ActorFrom(r.Context()), access.RoleDeveloper); err != nil {
		return nil, err
	}
	if err := intake.Begin(w, r, c.o.MaxModule+web.BesideModule); err != nil {
		return nil, err
	}
	intake.Held(r)
	return c.node.BeginUpload(r.Context(), web.ToPublish, r.ContentLength)
}

// sent makes one manifest of a form: a file that was chosen, or else the text, in which fields that
// were filled in replace its lines. The page's own program keeps text and fields alike, and sends
// the text alone.
func (c *Console) sent(form *intake.Form) sentForm {
	s := sentForm{manifest: form.Parts["manifest"], values: map[string]string{}}
	for _, name := range c.fieldNames() {
		if value := strings.TrimSpace(strings.ReplaceAll(string(form.Parts[name]), "\r\n", "\n")); value != "" {
			s.values[name] = value
		}
	}
	if file := form.Parts["manifest_file"]; len(file) > 0 {
		s.manifest = file
	} else if len(s.values) > 0 {
		s.manifest = registry.FillManifest(s.manifest, s.values)
	}
	return s
}
