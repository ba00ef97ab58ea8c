package languages

import (
	"context"
	"slices"

	"github.com/agora-host/agora/javascript"
	"github.com/agora-host/agora/python"
	"github.com/agora-host/agora/script"
)

// Extensions are those of files that can be built, the preview's last.
var Extensions = slices.Concat(javascript.Extensions, python.Extensions)

// IsSource reports whether a file's name is one of a script.
func IsSource(name string) bool { return script.HasExtension(name, Extensions) }

// Build makes a module of an app in the language that its entry's name says. What is wrong with the app is a
// *script.Error.
func Build(ctx context.Context, s script.Source) (script.Built, error) {
	if python.IsSource(s.Entry) {
		return python.Build(ctx, s)
	}
	return javascript.Build(ctx, s)
}

// Versions are all that are known of each engine; the last of each has no end.
func Versions() ([]script.Known, error) {
	all, err := javascript.Versions()
	if err != nil {
		return nil, err
	}
	more, err := python.Versions()
	return append(all, more...), err
}
