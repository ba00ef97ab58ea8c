package javascript

import (
	"embed"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/evanw/esbuild/pkg/api"
)

//go:embed prelude/*.js
var preludeFiles embed.FS

// prelude is the part of the web's classes that is written in JavaScript: all files, in the order of their
// names, as the body of one function of the engine's native side.
var prelude = sync.OnceValues(func() (string, error) {
	entries, err := preludeFiles.ReadDir("prelude") // sorted by name
	if err != nil {
		return "", err
	}
	var all strings.Builder
	all.WriteString(assigned + "function (native) {\n\"use strict\";\n")
	for _, e := range entries {
		b, err := preludeFiles.ReadFile(path.Join("prelude", e.Name()))
		if err != nil {
			return "", err
		}
		all.Write(b)
	}
	all.WriteString("};\n")
	r := api.Transform(all.String(), api.TransformOptions{
		Target: api.ES2023, MinifyWhitespace: true, MinifySyntax: true, Charset: api.CharsetUTF8, LegalComments: api.LegalCommentsNone, LogLevel: api.LogLevelSilent,
	})
	if len(r.Errors) > 0 {
		return "", fmt.Errorf("the prelude: %w", errors.New(r.Errors[0].Text))
	}
	f, ok := strings.CutPrefix(strings.TrimSuffix(strings.TrimSpace(string(r.Code)), ";"), assigned)
	if !ok {
		return "", errors.New("the prelude: the bundler made another statement of it")
	}
	return "(" + f + ")", nil
})

// assigned stands before the prelude's function while it is bundled: a function that is not used is left out.
const assigned = "prelude="
