package registry

import "time"

// Certificate says what was removed for good, when, for whom and by which rule. It names and
// measures what was removed, and holds nothing of it.
//
// Its document is signed by the node and names the digest of the one before it, so that neither a
// changed nor a missing certificate goes unseen. Fields are only ever added.
type Certificate struct {
	ID       string    `json:"id"` // "cert-1", ascending
	App      string    `json:"app"`
	Owner    string    `json:"owner"`
	What     string    `json:"what"` // RemovedReleases or RemovedApp
	At       time.Time `json:"at"`   // when the removal was complete
	By       string    `json:"by"`   // who asked for it: a user, or "node" for a rule
	Rule     string    `json:"rule"` // why it was removed, and since when that was decided
	Removed  []Removed `json:"removed"`
	Kept     []string  `json:"kept"`               // what stays, and what for
	Previous Digest    `json:"previous,omitempty"` // of the document of the certificate before
}

// What a certificate is about.
const (
	RemovedReleases = "releases"
	RemovedApp      = "app"
)

// Removed is one thing that was removed, or a number of things of one kind.
type Removed struct {
	Kind    string `json:"kind"`              // "release", "kv", "blobs", "secrets" …
	Name    string `json:"name,omitempty"`    // the number of a release, a host name
	Version string `json:"version,omitempty"` // of a release
	Digest  Digest `json:"digest,omitempty"`  // of a release's module
	Count   int64  `json:"count,omitempty"`   // of things, if it is about several
	Bytes   int64  `json:"bytes,omitempty"`
}

// Issued is a certificate as it was signed.
type Issued struct {
	Certificate
	Document  []byte `json:"document"`  // the JSON that was signed
	Signature []byte `json:"signature"` // a sigstore bundle over Document
	Digest    Digest `json:"digest"`    // of Document
}
