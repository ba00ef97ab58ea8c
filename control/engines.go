package control

import (
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/agora-host/agora/abi"
)

// EngineAge is how long ago another version of the engine may have come in the place of a release's before
// its owner is told that it is too old.
const EngineAge = 90 * 24 * time.Hour

// Standing is how the version of the engine that a release was made with stands to those that a node knows.
type Standing string

const (
	StandsCurrent Standing = "current" // the node makes modules with it
	StandsEarlier Standing = "earlier" // the node makes them with a later one
	StandsOld     Standing = "old"     // and has for longer than EngineAge
	StandsFlawed  Standing = "flawed"  // something is known against it
	StandsUnknown Standing = "unknown" // the node does not know it: it is a later one, or not Agora's
)

// EngineVersion is a version of what makes modules of scripts.
type EngineVersion struct {
	Version string
	Until   time.Time // when another came in its place; zero for the last
	Flaw    string    // why it should not go on to be used, after "it"
}

// Engines are the versions that a node knows, of each engine the oldest first. It makes modules with the last of
// each, which has no end.
type Engines []EngineVersion

// Makes reports whether the node makes modules with a version.
func (e Engines) Makes(version string) bool {
	return slices.ContainsFunc(e, func(v EngineVersion) bool { return v.Version == version && v.Until.IsZero() })
}

// Engine is what a release was made with, and how that stands.
type Engine struct {
	Version  string    `json:"version"`
	Standing Standing  `json:"standing"`
	Until    time.Time `json:"until,omitzero"` // when another came in its place
	Flaw     string    `json:"flaw,omitempty"` // what is known against it, after "it"
}

// Judge says how a version stands.
func (e Engines) Judge(version string, now time.Time) Engine {
	for _, v := range e {
		if v.Version != version {
			continue
		}
		judged := Engine{version, StandsEarlier, v.Until, v.Flaw}
		switch {
		case v.Flaw != "":
			judged.Standing = StandsFlawed
		case v.Until.IsZero():
			judged.Standing = StandsCurrent
		case now.Sub(v.Until) > EngineAge:
			judged.Standing = StandsOld
		}
		return judged
	}
	return Engine{Version: version, Standing: StandsUnknown}
}

// TooOld reports whether a release of this engine should be made again.
func (e Engine) TooOld() bool { return e.Standing == StandsOld || e.Standing == StandsFlawed }

// Words say how it stands, after the version.
func (e Engine) Words() string {
	switch e.Standing {
	case StandsCurrent:
		return "which is this node's"
	case StandsEarlier, StandsOld:
		words := "in whose place another version came on " + e.Until.Format(time.DateOnly)
		if e.Standing == StandsOld {
			words += ": it is too old"
		}
		return words + "; deploy it again to have that"
	case StandsFlawed:
		return "which should not go on to be used, since it " + e.Flaw + ": deploy it again"
	}
	return "which this node does not know"
}

// Finding is what the owner of a release is told whose engine is too old. entry is the file that it was made of.
func (e Engine) Finding(release int, entry string) abi.Finding {
	docs := "docs/javascript.md"
	if path.Ext(entry) == ".py" {
		docs = "docs/python.md"
	}
	f := abi.Finding{
		Code: "engine.old", Severity: abi.SeverityInfo, Path: fmt.Sprintf("release %d", release), Subject: e.Version,
		Message: fmt.Sprintf("Release %d was made with %s, in whose place another version came on %s: it lacks what was mended since.", release, e.Version, e.Until.Format(time.DateOnly)),
		Remedy: abi.Remedy{
			Summary:  "Deploy the script again, with an agora of the node's version. Until then the release goes on to run as it is.",
			Commands: []string{"agora deploy " + entry}, Docs: docs,
		},
	}
	if e.Standing == StandsFlawed {
		f.Code, f.Message = "engine.flawed", fmt.Sprintf("Release %d was made with %s, which should not go on to be used: it %s.", release, e.Version, e.Flaw)
	}
	return f
}
