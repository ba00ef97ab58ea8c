package abi

import "time"

// Severity tells what a finding does to the act that was checked.
type Severity string

const (
	SeverityDeny   Severity = "deny"   // the act is refused until this is fixed
	SeverityReview Severity = "review" // a reviewer must decide
	SeverityInfo   Severity = "info"   // worth knowing; nothing stops
)

// UnmarshalText reads a severity. Findings that were stored, and rules that were written, before
// SeverityInfo had its name say "note".
func (s *Severity) UnmarshalText(text []byte) error {
	if *s = Severity(text); *s == "note" {
		*s = SeverityInfo
	}
	return nil
}

// Finding is what a check said, with the way to fix it.
type Finding struct {
	Code     string   `json:"code"`              // stable, for machines: "metadata.owner_missing"
	Severity Severity `json:"severity"`          //
	Message  string   `json:"message"`           // what is wrong, in the reader's words
	Path     string   `json:"path,omitempty"`    // where: "manifest.cost_center", "imports[3]"
	Subject  string   `json:"subject,omitempty"` // what it is about, for machines: the capability's word
	Remedy   Remedy   `json:"remedy"`
	// Exempted says that the finding would refuse, and by which exemption it does not.
	Exempted *Exempted `json:"exempted,omitempty"`
}

// Exempted is the exemption that a finding is marked with.
type Exempted struct {
	Request string    `json:"request"` // that was approved: it names who asked and who decided
	Until   time.Time `json:"until"`
	Reason  string    `json:"reason"`
	Control string    `json:"control"` // what is done instead
}

// Remedy is what to do about a finding or a problem.
type Remedy struct {
	Summary  string   `json:"summary"`            // one sentence, imperative
	Commands []string `json:"commands,omitempty"` // ready to paste, or lines for the manifest
	Docs     string   `json:"docs,omitempty"`     // a page that explains
}
