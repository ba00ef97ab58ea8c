package javascript

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/agora-host/agora/abi/source"
	"github.com/agora-host/agora/script"
)

const (
	// MaxScript bounds the bundle.
	MaxScript = script.Max
	// maxFiles bounds the bytes of all files that are read for a bundle; most of a package is left out of it.
	maxFiles = 64 << 20
)

// bundle is what became of an app's files.
type bundle struct {
	script   string
	sources  sourceMap
	mappings []mapping
	warnings []Diagnostic
}

// options are those of a bundle: one module for an engine that is neither Node nor a browser.
func (s project) options() api.BuildOptions {
	o := api.BuildOptions{
		Bundle: true, Write: false, Outfile: "app.js", Format: api.FormatESModule, Target: api.ES2023, Platform: api.PlatformNeutral,
		MainFields: []string{"module", "main"}, Conditions: []string{"worker", "import"}, TreeShaking: api.TreeShakingTrue,
		MinifyWhitespace: true, Charset: api.CharsetUTF8, LegalComments: api.LegalCommentsEndOfFile,
		Sourcemap: api.SourceMapExternal, SourcesContent: api.SourcesContentInclude, LogLevel: api.LogLevelSilent, LogLimit: 50,
		Loader: map[string]api.Loader{".txt": api.LoaderText, ".md": api.LoaderText, ".html": api.LoaderText, ".svg": api.LoaderText, ".sql": api.LoaderText, ".css": api.LoaderText},
		Define: map[string]string{"process.env.NODE_ENV": `"production"`, "global": "globalThis"},
	}
	if s.Dir == "" {
		o.Stdin = &api.StdinOptions{Contents: string(s.Code), Sourcefile: s.Entry, Loader: loaderOf(s.Entry)}
		o.TsconfigRaw = "{}"
		o.AbsWorkingDir = "/"
		o.Plugins = []api.Plugin{refuseFiles}
		return o
	}
	o.AbsWorkingDir = s.Dir
	o.EntryPoints = []string{"./" + filepath.ToSlash(s.Entry)}
	o.Plugins = []api.Plugin{boundFiles(), explainNode}
	return o
}

func loaderOf(name string) api.Loader {
	switch path.Ext(name) {
	case ".ts", ".mts", ".cts":
		return api.LoaderTS
	case ".tsx":
		return api.LoaderTSX
	case ".jsx":
		return api.LoaderJSX
	}
	return api.LoaderJS
}

// refuseFiles lets nothing be resolved: no file of this machine comes into the bundle.
var refuseFiles = api.Plugin{Name: "one file", Setup: func(b api.PluginBuild) {
	b.OnResolve(api.OnResolveOptions{Filter: ".*"}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
		if node, is := nodeModule(a.Path); is {
			return api.OnResolveResult{Errors: []api.Message{node}}, nil
		}
		return api.OnResolveResult{Errors: []api.Message{{
			Text:  fmt.Sprintf("%q cannot be imported: this app is the one file that was given", a.Path),
			Notes: []api.Note{{Text: "Write what it needs into this file, or run `agora deploy` where the other files and packages are."}},
		}}}, nil
	})
	b.OnLoad(api.OnLoadOptions{Filter: ".*"}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
		return api.OnLoadResult{Errors: []api.Message{{Text: fmt.Sprintf("%q is not read: this app is the one file that was given", path.Base(a.Path))}}}, nil
	})
}}

// boundFiles refuses files that are too large, before they are read.
func boundFiles() api.Plugin {
	var total atomic.Int64
	return api.Plugin{Name: "bounds", Setup: func(b api.PluginBuild) {
		b.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: "file"}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
			info, err := os.Stat(a.Path)
			if err != nil {
				return api.OnLoadResult{}, nil // the bundler says it better
			}
			switch {
			case !info.Mode().IsRegular():
				return api.OnLoadResult{Errors: []api.Message{{Text: fmt.Sprintf("%s is not an ordinary file", path.Base(a.Path))}}}, nil
			case info.Size() > MaxScript:
				return api.OnLoadResult{Errors: []api.Message{tooLarge(path.Base(a.Path), info.Size())}}, nil
			case total.Add(info.Size()) > maxFiles:
				return api.OnLoadResult{Errors: []api.Message{{Text: fmt.Sprintf("the files that are imported have more than %d MiB together: import fewer packages", maxFiles>>20)}}}, nil
			}
			return api.OnLoadResult{}, nil
		})
	}}
}

func tooLarge(name string, size int64) api.Message {
	return api.Message{
		Text:  fmt.Sprintf("%s has %.1f MiB, and a script has at most %d MiB", name, float64(size)/(1<<20), MaxScript>>20),
		Notes: []api.Note{{Text: "Keep data and assets among static files ([static] in agora.toml), in blobs or in the kv store, and import them from nowhere."}},
	}
}

// bundle makes one script of an app's files.
func (s project) bundle(ctx context.Context) (*bundle, error) {
	if s.Dir == "" && len(s.Code) > MaxScript {
		return nil, &Error{Diagnostics: diagnostics([]api.Message{tooLarge(s.Entry, int64(len(s.Code)))})}
	}
	r, err := run(ctx, s.options())
	if err != nil {
		return nil, err
	}
	if len(r.Errors) > 0 {
		return nil, &Error{Diagnostics: diagnostics(r.Errors)}
	}
	b := &bundle{warnings: diagnostics(r.Warnings)}
	for _, f := range r.OutputFiles {
		if !strings.HasSuffix(f.Path, ".map") {
			b.script = string(f.Contents)
		} else if b.sources, b.mappings, err = readMap(f.Contents); err != nil {
			return nil, err
		}
	}
	if len(b.script) > MaxScript {
		return nil, &Error{Diagnostics: diagnostics([]api.Message{tooLarge("the script with all that it imports", int64(len(b.script)))})}
	}
	b.script = hidePaths(b.script)
	missing, err := s.missing(ctx, b)
	b.warnings = append(b.warnings, missing...)
	return b, err
}

// run bundles until ctx ends.
func run(ctx context.Context, o api.BuildOptions) (api.BuildResult, error) {
	c, failed := api.Context(o)
	if failed != nil {
		return api.BuildResult{}, &Error{Diagnostics: diagnostics(failed.Errors)}
	}
	defer c.Dispose()
	stop := context.AfterFunc(ctx, c.Cancel)
	defer stop()
	r := c.Rebuild()
	return r, ctx.Err()
}

// hidePaths takes the folders above the app out of the names that the bundler gives to CommonJS modules. The
// length stays, and with it each place that the source map names.
func hidePaths(script string) string {
	var b []byte
	for from := 0; ; {
		i := strings.Index(script[from:], `"../`)
		if i < 0 {
			break
		}
		i += from
		from = i + 4
		name, _, closed := strings.Cut(script[i+1:], `"`)
		if !closed || len(name) > 4096 || !strings.HasPrefix(script[i+1+len(name):], `"(`) {
			continue
		}
		if b == nil {
			b = []byte(script)
		}
		hidden := len(name) - len(sourceName(name))
		copy(b[i+1:], bytes.Repeat([]byte("_"), hidden))
		copy(b[i+1+hidden:], sourceName(name))
		from = i + 1 + len(name)
	}
	if b == nil {
		return script
	}
	return string(b)
}

// files returns the app's own files in the bundle, by name, and whether there are others: those of packages.
func (b *bundle) files() (files []source.File, packages bool) {
	for i, name := range b.sources.Sources {
		switch {
		case inPackage(name):
			packages = true
		case i < len(b.sources.Contents) && b.sources.Contents[i] != nil:
			files = append(files, source.File{Name: name, Contents: *b.sources.Contents[i]})
		}
	}
	slices.SortStableFunc(files, func(a, b source.File) int { return strings.Compare(a.Name, b.Name) })
	return files, packages
}
