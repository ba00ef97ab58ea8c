package script

import (
	"fmt"
	"strings"
	"time"
)

// Known is a version that Agora made modules with, or makes them with now.
type Known struct {
	Version string
	Until   time.Time // when another came in its place; zero for the last
	Flaw    string    // why it should not go on to be used: half a sentence, after "it"; "" if nothing is known against it
}

// ReadVersions reads a list of an engine's versions, the oldest first. It has a line for each: the day from which
// on it was used, the version and, if it should not go on to be used, why, with tabs between them.
func ReadVersions(text string) (all []Known, err error) {
	for line := range strings.Lines(text) {
		parts := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(parts) < 2 || len(parts) > 3 {
			return nil, fmt.Errorf("versions of the engine: %q has %d parts, and 2 or 3 are meant", line, len(parts))
		}
		since, err := time.Parse(time.DateOnly, parts[0])
		if err != nil {
			return nil, fmt.Errorf("versions of the engine: %w", err)
		}
		if n := len(all); n > 0 {
			all[n-1].Until = since
		}
		all = append(all, Known{Version: parts[1], Flaw: strings.Join(parts[2:], "")})
	}
	return all, nil
}
