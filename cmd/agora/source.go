package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/script"
	"github.com/agora-host/agora/script/languages"
	"github.com/agora-host/agora/sdk/client"
)

// project is what is published together: a manifest, and a module or the script that becomes one.
type project struct {
	dir      string // the script's names and the manifest's are relative to it
	manifest []byte // nil as long as there is none
	module   string // a .wasm file, or a script
}

// locate finds what the argument of a command names: a directory, a manifest, or a script or module
// beside its manifest. A script needs no manifest.
func locate(arg, module string) (project, error) {
	file := filepath.Join(arg, manifestFile)
	switch info, err := os.Stat(cmp.Or(arg, ".")); {
	case err == nil && info.IsDir():
	case languages.IsSource(arg) || filepath.Ext(arg) == ".wasm":
		if module != "" {
			return project{}, usageError("%s and %s are two modules: name one", arg, module)
		}
		if err != nil {
			return project{}, usageError("there is no %s", arg)
		}
		file, module = manifestOf(arg), arg
	default:
		if err != nil {
			return project{}, noManifest(arg)
		}
		file = arg
	}
	p := project{dir: filepath.Dir(file), module: module}
	var err error
	if p.manifest, err = os.ReadFile(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return project{}, err
	}
	if p.module == "" {
		if p.module, err = onlyModule(p.dir); err != nil && p.manifest == nil {
			return project{}, noManifest(file)
		} else if err != nil {
			return project{}, err
		}
	}
	if p.manifest == nil && !languages.IsSource(p.module) {
		return project{}, noManifest(file)
	}
	return p, nil
}

func noManifest(file string) error {
	return usageError("there is no %s: name a script, or the directory with your app's manifest, or see docs/manifest.md", file)
}

// manifestOf is where the manifest of a file would be: beside it, or beside its directory src.
func manifestOf(file string) string {
	dir := filepath.Dir(file)
	beside := filepath.Join(dir, manifestFile)
	if _, err := os.Stat(beside); err != nil && filepath.Base(dir) == "src" {
		above := filepath.Join(filepath.Dir(dir), manifestFile)
		if _, err := os.Stat(above); err == nil {
			return above
		}
	}
	return beside
}

// alone is the project of a module or a script: what is beside it counts, if it is there.
func alone(module string) (project, error) {
	if !languages.IsSource(module) {
		return project{module: module}, nil
	}
	return locate(module, "")
}

// moduleOf returns a project's module, and shows how a script is built.
func moduleOf(ctx context.Context, p project, steps *progress) ([]byte, error) {
	module, err := p.read(ctx, steps)
	if err != nil {
		steps.stop()
		return nil, err
	}
	steps.done()
	return module, nil
}

// entries are the names, without extension, of scripts that are an app's first.
var entries = []string{"app", "index", "main", "server", "worker"}

// notEntries are scripts that are no app: types, tests and settings of tools.
var notEntries = regexp.MustCompile(`\.(d|test|spec|config)\.[a-z]+$|^(test_.*|.*_test|conftest|setup|__.*__)\.py$`)

// onlySource finds the script that is the app in a directory: by its name, or because there is no
// other; "" if there is none. Programs in other languages have scripts, too, for browsers.
func onlySource(dir string) string {
	for _, other := range []string{"*.go", "Cargo.toml", "build.zig", "CMakeLists.txt"} {
		if found, _ := filepath.Glob(filepath.Join(dir, other)); len(found) > 0 {
			return ""
		}
	}
	for _, in := range []string{dir, filepath.Join(dir, "src")} {
		var scripts []string
		files, _ := os.ReadDir(in)
		for _, f := range files {
			if languages.IsSource(f.Name()) && !notEntries.MatchString(f.Name()) && !f.IsDir() {
				scripts = append(scripts, f.Name())
			}
		}
		for _, name := range entries {
			for _, ext := range languages.Extensions {
				if slices.Contains(scripts, name+ext) {
					return filepath.Join(in, name+ext)
				}
			}
		}
		if len(scripts) == 1 {
			return filepath.Join(in, scripts[0])
		}
	}
	return ""
}

// read returns the project's module; a script is built.
func (p project) read(ctx context.Context, steps *progress) ([]byte, error) {
	if !languages.IsSource(p.module) {
		return os.ReadFile(p.module)
	}
	var m registry.Manifest
	if p.manifest != nil {
		var err error
		if m, err = registry.ParseManifest(p.manifest); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(p.dir, manifestFile), err)
		}
		if !m.StartOnce {
			steps.note("Write start_once = true in " + filepath.Join(p.dir, manifestFile) + ": without it, each request starts the script's engine anew.")
		}
	}
	steps.to("building " + p.module)
	s, prefix, err := p.source(m)
	if err != nil {
		return nil, err
	}
	built, err := languages.Build(ctx, s)
	if e, ok := errors.AsType[*script.Error](err); ok {
		return nil, &script.Error{Diagnostics: within(prefix, e.Diagnostics)}
	} else if err != nil {
		return nil, err
	}
	for _, d := range within(prefix, built.Warnings) {
		steps.note(diagnostic("warning", d))
	}
	return built.Module, nil
}

// source is the script to build, and where its directory is for the reader of its diagnostics.
func (p project) source(m registry.Manifest) (s script.Source, prefix string, err error) {
	prefix = p.dir
	entry, err := filepath.Rel(p.dir, p.module)
	if err != nil || !filepath.IsLocal(entry) {
		prefix, entry = filepath.Dir(p.module), filepath.Base(p.module)
	}
	s.Entry = filepath.ToSlash(entry)
	for word := range m.Capabilities {
		s.Capabilities = append(s.Capabilities, word)
	}
	slices.Sort(s.Capabilities)
	s.Dir, err = filepath.Abs(prefix)
	return s, prefix, err
}

// within says where files are for a reader in the working directory.
func within(dir string, all []script.Diagnostic) []script.Diagnostic {
	all = slices.Clone(all)
	for i, d := range all {
		if d.File != "" {
			all[i].File = filepath.Join(dir, filepath.FromSlash(d.File))
		}
	}
	return all
}

// diagnostic writes one as compilers do, so that editors find the place.
func diagnostic(severity string, d script.Diagnostic) string {
	d.Text = severity + ": " + d.Text
	return printableLines(d.String())
}

// printNotBuilt says what is wrong with a script, and returns the exit status for it: that of a bad module.
func (c *terminal) printNotBuilt(e *script.Error) int {
	if c.output == "json" {
		p := abi.Problem{Type: "about:blank", Title: "The script cannot become a module", Detail: e.Error()}
		for _, d := range e.Diagnostics {
			p.Findings = append(p.Findings, d.Finding(abi.SeverityDeny))
		}
		c.printJSONError(p)
		return exitRefused
	}
	for _, d := range e.Diagnostics {
		fmt.Fprintln(c.err, diagnostic("error", d))
	}
	fmt.Fprintln(c.err, "agora: the script cannot become a module; nothing was sent.")
	return exitRefused
}

// unmanifested is what flags say of a script that has no manifest.
type unmanifested struct {
	name, team, costCenter string
	write                  bool
	dry                    bool // nothing is published
}

func (u *unmanifested) flags(f *pflag.FlagSet) {
	u.named(f)
	f.BoolVar(&u.write, "write-manifest", false, "of a script without a manifest: write the one that is made for it")
}

// named adds the flags for what that manifest says.
func (u *unmanifested) named(f *pflag.FlagSet) {
	f.StringVar(&u.name, "name", "", "of a script without a manifest: the app's name (default: the file's)")
	f.StringVar(&u.team, "team", "", "of a script without a manifest: its team (default: that of your other apps, or you)")
	f.StringVar(&u.costCenter, "cost-center", "", "of a script without a manifest: its cost center (default: that of your other apps, or unassigned)")
}

// noCostCenter is the cost center of an app whose maker has none: usage shows it as that.
const noCostCenter = "unassigned"

// fill gives a script that has no manifest one, and says so.
func (u unmanifested) fill(ctx context.Context, node *client.Client, steps *progress, p *project) error {
	if p.manifest != nil {
		if u != (unmanifested{dry: u.dry}) {
			return usageError("%s is there, and says what --name, --team and --cost-center would say: change it there", filepath.Join(p.dir, manifestFile))
		}
		return nil
	}
	who, err := node.Whoami(ctx)
	if err != nil {
		return err
	}
	name := cmp.Or(u.name, nameOf(p.module))
	if err := registry.ValidName(name); err != nil {
		return usageError("%w; name one with --name", err)
	}
	mine, err := node.FindApps(ctx, client.AppSearch{Owner: who.User})
	if err != nil {
		return err
	}
	team := cmp.Or(u.team, usual(mine, name, func(a client.App) string { return a.Team }), who.User)
	costCenter := cmp.Or(u.costCenter, usual(mine, name, func(a client.App) string { return a.CostCenter }), noCostCenter)
	p.manifest = manifestText(name, who.User, team, costCenter)
	said := fmt.Sprintf("%s has no %s: it is published as %s, of team %s and cost center %s, with internal data and no capabilities.", p.module, manifestFile, name, printable(team), printable(costCenter))
	if u.dry {
		steps.note(fmt.Sprintf("%s has no %s: it is checked as %s, of team %s and cost center %s, with internal data and no capabilities.", p.module, manifestFile, name, printable(team), printable(costCenter)))
		return nil
	}
	if !u.write {
		steps.note(said + "\n--write-manifest writes that beside it, to be changed there.")
		return nil
	}
	file := filepath.Join(p.dir, manifestFile)
	if err := writeNew(file, p.manifest); err != nil {
		return err
	}
	steps.note(said + "\nThat is written to " + file + ".")
	return nil
}

// usual is what the app of that name has, or else all of them; "" if they differ.
func usual(apps []client.App, name string, value func(client.App) string) (all string) {
	for i, a := range apps {
		switch v := value(a); {
		case a.Name == name:
			return v
		case i == 0:
			all = v
		case v != all:
			all = ""
		}
	}
	return all
}

// writeNew writes a file that is not there yet.
func writeNew(file string, text []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// manifestText is the manifest of a script that has none.
func manifestText(name, owner, team, costCenter string) []byte {
	var b strings.Builder
	title := strings.ToUpper(name[:1]) + strings.ReplaceAll(name[1:], "-", " ")
	for _, line := range [][2]string{
		{"name", name}, {"version", "0.1.0"}, {"title", title}, {"owner", owner}, {"team", team}, {"cost_center", costCenter}, {"data_classification", "internal"},
	} {
		value, _ := json.Marshal(line[1]) // strings of JSON are strings of TOML
		fmt.Fprintf(&b, "%s = %s\n", line[0], value)
	}
	b.WriteString("start_once = true\n")
	return []byte(b.String())
}

// notInNames is what an app's name cannot have.
var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// nameOf makes an app's name of its script's; where that is what scripts are called, of its directory's.
func nameOf(script string) string {
	stem, _, _ := strings.Cut(filepath.Base(script), ".")
	if abs, err := filepath.Abs(script); err == nil && slices.Contains(entries, strings.ToLower(stem)) {
		dir := filepath.Dir(abs)
		if filepath.Base(dir) == "src" {
			dir = filepath.Dir(dir)
		}
		if name := asName(filepath.Base(dir)); registry.ValidName(name) == nil {
			return name
		}
	}
	return asName(stem)
}

// mostName bounds what is made, as registry.ValidName does.
const mostName = 40

func asName(s string) string {
	name := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(s), "-"), "-")
	if name != "" && name[0] >= '0' && name[0] <= '9' {
		name = "app-" + name
	}
	return strings.TrimRight(name[:min(len(name), mostName)], "-")
}
