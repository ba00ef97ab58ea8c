package javascript

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/evanw/esbuild/pkg/api"
)

// absent are globals of Node and of browsers that are not here, with what to use instead.
var absent = map[string]string{
	"Intl":                "There is no Intl, which has the languages' data: format numbers and dates yourself, or with a package that brings its data.",
	"WebAssembly":         "An app cannot run WebAssembly inside of itself.",
	"WebSocket":           "An app cannot open WebSockets: use fetch().",
	"EventSource":         "An app cannot open EventSources: use fetch().",
	"XMLHttpRequest":      "Use fetch().",
	"localStorage":        "That is of browsers: keep data with env.KV or env.BLOB.",
	"sessionStorage":      "That is of browsers: keep data with env.KV.",
	"indexedDB":           "That is of browsers: keep data with env.KV or env.BLOB.",
	"caches":              "There is no Cache: keep data with env.KV or env.BLOB.",
	"document":            "That is of browsers, and this is a server: return HTML in a Response.",
	"window":              "That is of browsers, and this is a server.",
	"process":             "That is of Node: read settings with env.config and secrets with env.SECRETS.",
	"Buffer":              "That is of Node: use Uint8Array, TextEncoder and TextDecoder.",
	"require":             "That is of Node: use import.",
	"__dirname":           "That is of Node, and there are no files: import texts, or use env.BLOB.",
	"__filename":          "That is of Node, and there are no files: import texts, or use env.BLOB.",
	"setImmediate":        "That is of Node: use setTimeout(f, 0) or queueMicrotask(f).",
	"Worker":              "An app has one thread, and each request its own instance.",
	"SharedWorker":        "An app has one thread, and each request its own instance.",
	"BroadcastChannel":    "Requests do not reach each other: publish events with env.EVENTS.",
	"CompressionStream":   "There is no compression: the node compresses what goes out.",
	"DecompressionStream": "There is no compression.",
	"HTMLRewriter":        "That is of another host: parse HTML with a package.",
	"Deno":                "That is of Deno: use what the web has.",
	"Bun":                 "That is of Bun: use what the web has.",
}

var absentWord = sync.OnceValue(func() *regexp.Regexp {
	names := slices.Sorted(maps.Keys(absent))
	return regexp.MustCompile(`\b(?:` + strings.Join(names, "|") + `)\b`)
})

// missing finds uses of globals that are not there. Which words are globals, the bundler knows: a second bundle
// has other names of the same length in their places. It is compared, and never used.
func (s project) missing(ctx context.Context, b *bundle) ([]Diagnostic, error) {
	found := map[string]bool{}
	for _, word := range absentWord().FindAllString(b.script, -1) {
		found[word] = true
	}
	if len(found) == 0 {
		return nil, nil
	}
	o := s.options()
	stands := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		stands[name] = standIn(b.script, name)
		if stands[name] == "" {
			continue
		}
		o.Define[name] = stands[name]
	}
	r, err := run(ctx, o)
	if err != nil || len(r.Errors) > 0 {
		return nil, err
	}
	var marked string
	for _, f := range r.OutputFiles {
		if !strings.HasSuffix(f.Path, ".map") {
			marked = hidePaths(string(f.Contents))
		}
	}
	return b.places(marked, stands), nil
}

// standIn is a name of the same length that the script does not have; "" if none was found.
func standIn(script, name string) string {
	for c := '0'; c <= '9'; c++ {
		if s := "$" + strings.Repeat(string(c), len(name)-1); !strings.Contains(script, s) {
			return s
		}
	}
	return ""
}

// places are where stand-ins are found: a warning for the first use of each name in each file.
func (b *bundle) places(marked string, stands map[string]string) []Diagnostic {
	var all []Diagnostic
	for _, name := range slices.Sorted(maps.Keys(stands)) {
		stand, told := stands[name], map[string]bool{}
		if stand == "" {
			continue
		}
		for from := 0; ; {
			i := strings.Index(marked[from:], stand)
			if i < 0 {
				break
			}
			i += from
			from = i + len(stand)
			if i+len(name) > len(b.script) || b.script[i:i+len(name)] != name {
				break // the two bundles differ: places would be wrong
			}
			if guarded(marked, i) {
				continue
			}
			d := b.at(i)
			d.Text, d.Hint, d.Length = fmt.Sprintf("%s is not there", name), absent[name], len(name)
			if !told[d.File] && !inPackage(d.File) { // packages ask for what they find
				told[d.File] = true
				all = append(all, d)
			}
		}
	}
	return all
}

// guarded reports whether a name is only asked for its type, as what is careful does.
func guarded(script string, i int) bool { return strings.HasSuffix(script[:i], "typeof ") }

// at is the place in the source of an offset in the script.
func (b *bundle) at(offset int) Diagnostic {
	before := b.script[:offset]
	line := strings.Count(before, "\n")
	column := len([]rune(before[strings.LastIndexByte(before, '\n')+1:]))
	m, ok := find(b.mappings, line, column)
	if !ok {
		return Diagnostic{}
	}
	d := Diagnostic{File: b.sources.Sources[m.source], Line: m.sourceLine + 1, Column: m.sourceColumn + 1}
	if m.source < len(b.sources.Contents) && b.sources.Contents[m.source] != nil {
		lines := strings.SplitN(*b.sources.Contents[m.source], "\n", d.Line+1)
		if d.Line <= len(lines) {
			d.Source, d.Column, d.Length = window(strings.TrimRight(lines[d.Line-1], "\r"), d.Column, 1)
		}
	}
	return d
}

// nodeModules are Node's modules, with what to use instead; "" has no better word.
var nodeModules = map[string]string{
	"assert": "", "async_hooks": "", "buffer": "Use Uint8Array.", "child_process": "An app cannot start programs.", "cluster": "", "console": "Use the global console.",
	"crypto": "Use the global crypto: crypto.randomUUID(), crypto.getRandomValues(), crypto.subtle.", "dgram": "", "diagnostics_channel": "", "dns": "Use fetch().",
	"events": "Use EventTarget, or the package events from npm.", "fs": "There are no files: import texts, or use env.BLOB and env.KV.", "http": "Export a fetch handler, and ask others with fetch().",
	"http2": "Use fetch().", "https": "Use fetch().", "inspector": "", "module": "", "net": "Apps reach others with fetch() alone: a database needs an HTTP interface.",
	"os": "", "path": "Use the package path-browserify from npm.", "perf_hooks": "Use the global performance.", "process": "Read settings with env.config.", "punycode": "Use the package punycode from npm.",
	"querystring": "Use URLSearchParams.", "readline": "", "repl": "", "stream": "Use ReadableStream, WritableStream and TransformStream.", "string_decoder": "Use TextDecoder.",
	"sys": "", "timers": "Use the global setTimeout().", "tls": "Use fetch().", "tty": "", "url": "Use the global URL.", "util": "", "v8": "", "vm": "", "wasi": "",
	"worker_threads": "An app has one thread, and each request its own instance.", "zlib": "The node compresses what goes out.",
}

// nodeModule explains an import of Node's.
func nodeModule(name string) (api.Message, bool) {
	bare, prefixed := strings.CutPrefix(name, "node:")
	root, _, _ := strings.Cut(bare, "/")
	instead, known := nodeModules[root]
	if !prefixed && !known {
		return api.Message{}, false
	}
	hint := "Look for a package that runs in browsers or workers too."
	if instead != "" {
		hint = instead
	}
	return api.Message{Text: fmt.Sprintf("%q is a part of Node, and apps do not run in Node", name), Notes: []api.Note{{Text: hint}}}, true
}

// explainNode says of an import of Node's, also within packages, that it is one. A package of that name that is
// installed stands in for it.
var explainNode = api.Plugin{Name: "node", Setup: func(b api.PluginBuild) {
	type again struct{}
	b.OnResolve(api.OnResolveOptions{Filter: `^(node:)?[a-z0-9_]+(/[a-z_]+)?$`}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
		message, is := nodeModule(a.Path)
		if _, asked := a.PluginData.(again); !is || asked {
			return api.OnResolveResult{}, nil
		}
		r := b.Resolve(strings.TrimPrefix(a.Path, "node:"), api.ResolveOptions{Importer: a.Importer, ResolveDir: a.ResolveDir, Kind: a.Kind, PluginData: again{}, With: a.With})
		if len(r.Errors) == 0 {
			return api.OnResolveResult{Path: r.Path, External: r.External, SideEffects: sideEffects(r.SideEffects), Namespace: r.Namespace, Suffix: r.Suffix}, nil
		}
		if pkg := packageOf(a.Importer); pkg != "" {
			message.Text = fmt.Sprintf("the package %s needs %q, which is a part of Node, and apps do not run in Node", pkg, a.Path)
		}
		return api.OnResolveResult{Errors: []api.Message{message}}, nil
	})
}}

func sideEffects(has bool) api.SideEffects {
	if has {
		return api.SideEffectsTrue
	}
	return api.SideEffectsFalse
}

// packageOf is the package that a file belongs to; "" for the app's own.
func packageOf(file string) string {
	file = strings.ReplaceAll(file, "\\", "/")
	i := strings.LastIndex(file, "/node_modules/")
	if i < 0 {
		return ""
	}
	parts := strings.SplitN(file[i+len("/node_modules/"):], "/", 3)
	if strings.HasPrefix(parts[0], "@") && len(parts) > 1 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}
