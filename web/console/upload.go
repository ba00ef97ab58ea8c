package console

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/intake"
	"github.com/agora-host/agora/web/problem"
)

// uploads are the form of an upload, and what comes of it.
type uploads struct {
	*frame
	apps      web.Catalogue
	intake    web.Intake
	publisher web.Publisher
}

// take publishes what a form holds. The page's own program is told each step as a line of JSON;
// a browser without it is given a page, and the form as it was if it was refused.
func (up *uploads) take(w http.ResponseWriter, r *http.Request) {
	var lines *uploadLines
	if strings.Contains(r.Header.Get("Accept"), "application/x-ndjson") {
		lines = &uploadLines{w: w}
	}
	r, err := up.signedIn(r)
	var published control.Published
	var sent sentForm
	if err != nil {
		intake.Refuse(w, r)
	} else {
		published, sent, err = up.publish(w, r, lines.stage)
	}
	if problem.Internal(err) {
		up.log.ErrorContext(r.Context(), "upload failed", "err", err)
	}
	switch {
	case err != nil && lines != nil:
		up.refuseLines(r, lines, err)
	case err != nil:
		up.refusePage(w, r, sent, err)
	case lines != nil:
		lines.send(uploadLine{Next: afterUpload(published)}, http.StatusOK)
	default:
		redirect(w, r, afterUpload(published))
	}
}

// types serves agora.d.ts, to be saved beside a script. It says nothing of this node's apps or people, and is
// for all who are signed in.
func (up *uploads) types(w http.ResponseWriter, r *http.Request) {
	if _, err := up.signedIn(r); err != nil {
		up.failed(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", "attachment; filename=agora.d.ts")
	h.Set("Cache-Control", "no-store")   // the next version of the node has another one
	_, _ = io.WriteString(w, up.o.Types) // who went away needs no response
}

// afterUpload is the page that says what became of an upload.
func afterUpload(p control.Published) string {
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

// uploadLines writes a response line by line. A nil one is no response of that kind.
type uploadLines struct {
	w     http.ResponseWriter
	begun bool
}

func (l *uploadLines) stage(name string) {
	if l != nil {
		l.send(uploadLine{Stage: name}, http.StatusOK)
	}
}

// send writes a line; the first has the response's status.
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

func (up *uploads) refuseLines(r *http.Request, lines *uploadLines, err error) {
	p := problem.For(err)
	var b bytes.Buffer
	if err := up.templates["upload"].ExecuteTemplate(&b, "upload-problem", p); err != nil {
		up.log.ErrorContext(r.Context(), "render an upload's problem", "err", err)
	}
	lines.send(uploadLine{Problem: &uploadProblem{HTML: b.String(), Fields: up.fieldErrors(p, err)}}, p.Status)
}

// refusePage shows the form with what was written in it, and with what to do.
func (up *uploads) refusePage(w http.ResponseWriter, r *http.Request, sent sentForm, err error) {
	view, viewErr := up.view(r)
	if viewErr != nil || errors.Is(err, access.ErrUnauthenticated) || errors.Is(err, access.ErrForbidden) {
		up.failed(w, r, err)
		return
	}
	p := problem.For(err)
	view.Problem, view.Errors = &p, up.fieldErrors(p, err)
	if len(sent.manifest) > 0 {
		view.Manifest = string(sent.manifest)
	}
	for i := range view.Fields {
		f := &view.Fields[i]
		f.Value, f.Error = cmp.Or(sent.values[f.Name], f.Value), view.Errors[f.Name]
	}
	up.render(w, r, p.Status, "upload", view)
}

// byKind is the part of the form that a kind of problem without findings is about.
var byKind = map[string]string{
	"bad-module": "module", "bad-script": "module", "module-too-heavy": "module", "module-feature": "module", "unsupported-module": "module",
	"app-cannot-start": "module", "bad-static-files": "module", "too-large": "module",
	"unsigned": "bundle", "bad-signature": "bundle", "untrusted-signer": "bundle",
	"not-owner": "name", "bad-manifest": "manifest",
}

var (
	errNoModule     = fmt.Errorf("%w: choose the script or the .wasm file to upload", problem.ErrBadRequest)
	errSignedScript = fmt.Errorf("%w: a bundle signs a module, and the node makes that of the script: leave the bundle out, or upload the module", problem.ErrBadRequest)
)

// fieldErrors says which parts of the form a problem is about, and what is wrong with each.
func (up *uploads) fieldErrors(p abi.Problem, err error) map[string]string {
	all, names := map[string]string{}, up.fieldNames()
	for _, f := range p.Findings {
		if f.Severity != abi.SeverityDeny {
			continue
		}
		where := "manifest"
		switch {
		case slices.Contains(names, f.Path):
			where = f.Path
		case strings.HasPrefix(f.Code, "script."):
			where = "module"
		}
		all[where] = strings.TrimSpace(all[where] + " " + sentence(f.Message) + " " + f.Remedy.Summary)
	}
	if where := byKind[strings.TrimPrefix(p.Type, "/problems/")]; len(all) == 0 && where != "" {
		all[where] = sentence(p.Detail)
	}
	if errors.Is(err, errNoModule) {
		all["module"] = "Choose the script or the .wasm file to upload."
	}
	if errors.Is(err, errSignedScript) {
		all["bundle"] = "A bundle signs a module, and the node makes that of the script: leave it out."
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
func (up *uploads) publish(w http.ResponseWriter, r *http.Request, stage func(string)) (p control.Published, sent sentForm, err error) {
	done, err := up.beginUpload(w, r)
	if err != nil {
		intake.Refuse(w, r)
		return p, sent, err
	}
	defer done()
	form, err := intake.ReadForm(r, up.intake, append(up.fieldNames(), "manifest", "manifest_file", "module", "bundle")...)
	if err != nil {
		return p, sent, err
	}
	defer form.Discard()
	sent = up.sent(form)
	u := control.Upload{Manifest: sent.manifest, Module: form.Module, Bundle: form.Parts["bundle"]}
	u.Sign = len(u.Bundle) == 0
	switch {
	case u.Module == nil || u.Module.Size() == 0:
		return p, sent, errNoModule
	case isScript(form.ModuleFile) && !u.Sign:
		return p, sent, errSignedScript
	case isScript(form.ModuleFile):
		if u.Script, err = scriptOf(form); err != nil {
			return p, sent, err
		}
		u.Module = nil // it is made of the script
	}
	p, err = up.publisher.Publish(r.Context(), u, stage)
	return p, sent, err
}

// scriptTypes are the names' ends of files that the node makes modules of.
var scriptTypes = []string{".js", ".mjs", ".jsx", ".ts", ".mts", ".tsx", ".py"}

func isScript(file string) bool { return slices.Contains(scriptTypes, strings.ToLower(path.Ext(file))) }

// scriptOf reads the script that a form brought in a module's place.
func scriptOf(form *intake.Form) (*control.Script, error) {
	if form.Module.Size() > control.MaxScript {
		return nil, fmt.Errorf("the script has more than %d MiB: %w", control.MaxScript>>20, registry.ErrTooLarge)
	}
	code, err := form.Module.Bytes()
	return &control.Script{Entry: path.Base(form.ModuleFile), Code: code}, err
}

// beginUpload judges an upload by its head.
func (up *uploads) beginUpload(w http.ResponseWriter, r *http.Request) (done func(), err error) {
	if err := access.May(access.ActorFrom(r.Context()), access.Develop, access.TheNode); err != nil {
		return nil, err
	}
	if err := intake.Begin(w, r, up.o.MaxModule+control.BesideModule); err != nil {
		return nil, err
	}
	intake.Held(r)
	return up.intake.BeginUpload(r.Context(), control.ToPublish, r.ContentLength)
}

// sent makes one manifest of a form: a file that was chosen, or else the text, in which fields that
// were filled in replace its lines. The page's own program keeps text and fields alike, and sends
// the text alone.
func (up *uploads) sent(form *intake.Form) sentForm {
	s := sentForm{manifest: form.Parts["manifest"], values: map[string]string{}}
	for _, name := range up.fieldNames() {
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
