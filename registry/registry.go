package registry

import (
	"cmp"
	"errors"
	"iter"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/source"
	"github.com/agora-host/agora/internal/sentinel"
)

var (
	// ErrNotFound: no such app or release.
	ErrNotFound  = errors.New("not found")
	ErrNoApp     = sentinel.New(ErrNotFound, "there is no such app")
	ErrNoRelease = sentinel.New(ErrNotFound, "there is no such release")
	ErrNoKey     = sentinel.New(ErrNotFound, "no such key is registered")
	// ErrExists: the release number is taken; releases are immutable.
	ErrExists = errors.New("already exists")
	// ErrNotOwner: the signer or the uploader is not the app's owner.
	ErrNotOwner = errors.New("not the app's owner")
	// ErrBadManifest: the manifest cannot be read or breaks its schema.
	ErrBadManifest = errors.New("the manifest is not valid")
	// ErrBadModule: the bytes are no WebAssembly module that can be admitted.
	ErrBadModule = errors.New("the module is not valid")
	// ErrBadScript: a script cannot become a module.
	ErrBadScript = errors.New("the script cannot become a module")
	// ErrNoSource: a release's module does not say what it was made of.
	ErrNoSource = sentinel.New(ErrNotFound, "the release has no source to show")
	// ErrTooHeavy: a module has more of something than is taken in, or compiling it takes too much.
	ErrTooHeavy = errors.New("the module is more than is taken in")
	// ErrFeature: a module uses a feature of WebAssembly that is not run here.
	ErrFeature = errors.New("the module uses a feature of WebAssembly that is not run here")
	// ErrCannotStart: an app's start-up fails, so that each call would.
	ErrCannotStart = errors.New("the app cannot start")
	// ErrUnsupportedModule: a valid module whose interface the node does not speak.
	ErrUnsupportedModule = errors.New("the module's interface is not supported")
	// ErrUnsigned: there is no signature.
	ErrUnsigned = errors.New("the module is not signed")
	// ErrBadSignature: the signature does not verify for these bytes.
	ErrBadSignature = errors.New("the signature does not match")
	// ErrUntrusted: the signature verifies, but its signer is not trusted here.
	ErrUntrusted = errors.New("the signer is not trusted")
	// ErrBadKey: what should be a public key is none.
	ErrBadKey = errors.New("the key is not valid")
	// ErrUnproven: nothing proves that whoever has the private key wants it to sign for an identity.
	ErrUnproven = errors.New("the key is not proven")
	// ErrRefused: the rules refuse the release; findings say why.
	ErrRefused = errors.New("the rules refuse this release")
	// ErrTooLarge: an upload is over its size limit.
	ErrTooLarge = errors.New("the upload is too large")
	// ErrNotActive: the app has no active release where it was called.
	ErrNotActive = errors.New("no active release")
	// ErrNoPrevious: there is nothing to roll back to.
	ErrNoPrevious = errors.New("no earlier release to roll back to")
	// ErrNotApproved: the release was not approved for that tier.
	ErrNotApproved = errors.New("the release is not approved for that tier")
	// ErrInUse: the release serves, or something waits for it.
	ErrInUse = errors.New("the release is in use")
	// ErrQuota: a person, an app or the node has as much of something as it may.
	ErrQuota = errors.New("the quota is used up")
)

// App is the named thing a release belongs to.
type App struct {
	Name           string           `json:"name"` // a DNS label, see ValidName
	Title          string           `json:"title,omitempty"`
	Description    string           `json:"description,omitempty"`
	Owner          string           `json:"owner"`              // who answers for it, and is always there
	CoOwner        string           `json:"co_owner,omitempty"` // a person who may do what the owner may, but for giving it away
	Group          string           `json:"group,omitempty"`    // the id of a group whose people may do the same: the team that owns it
	Team           string           `json:"team"`               // as its manifest names it, for bills
	CostCenter     string           `json:"cost_center"`
	Classification string           `json:"data_classification"`
	Created        time.Time        `json:"created"`
	Releases       int              `json:"releases"` // the highest release number
	Active         map[abi.Tier]int `json:"active"`   // the release that each tier routes to

	// Closed is what the rules alone do not allow it any more: a reviewer decides. See
	// approvals.Allowance.
	Closed []Closure `json:"closed,omitempty"`
	// Exemptions are the requests by which it is exempted from rules, those that have just ended with them.
	Exemptions []string `json:"exemptions,omitempty"`

	// What is known beside an app that is simply active; see State.
	Maintenance *Maintenance `json:"maintenance,omitempty"`
	Suspension  *Suspension  `json:"suspension,omitempty"`
	Quarantine  *Quarantine  `json:"quarantine,omitempty"`
	Deletion    *Deletion    `json:"deletion,omitempty"`
	Removal     *Removal     `json:"removal,omitempty"`
	Offer       *Offer       `json:"offer,omitempty"` // to hand it over
}

// Closure is a capability that was taken from an app or, with a digest, that a reviewer refused bytes.
type Closure struct {
	Capability string `json:"capability"`
	Digest     Digest `json:"digest,omitempty"`
	Since      int    `json:"since,omitempty"` // the release that was refused; what is older keeps what it has
}

// ClosedTo lists the capabilities that the rules alone do not allow a release.
func (a App) ClosedTo(number int, digest Digest) (words []string) {
	for _, c := range a.Closed {
		if c.Digest == "" || c.Digest == digest && number >= c.Since {
			words = append(words, c.Capability)
		}
	}
	return words
}

// Serving is the highest tier that has an active release, and that release.
func (a App) Serving() (abi.Tier, int, bool) {
	tiers := abi.Tiers()
	for i := len(tiers) - 1; i >= 0; i-- {
		if n := a.Active[tiers[i]]; n > 0 {
			return tiers[i], n, true
		}
	}
	return "", 0, false
}

// Digest names bytes by their SHA-256: "sha256:" and 64 lower-case hex digits.
type Digest string

// Release is one immutable version of an app.
type Release struct {
	App       string        `json:"app"`
	Number    int           `json:"number"`
	Version   string        `json:"version"`
	Digest    Digest        `json:"digest"` // of the module as uploaded and signed
	Size      int64         `json:"size"`   // bytes of the module
	Manifest  Manifest      `json:"manifest"`
	Interface abi.Interface `json:"interface"`
	// Capabilities are the words of the capability modules that the binary
	// imports, sorted: the truth, beside what the manifest declares.
	Capabilities []string `json:"capabilities"`
	// FuelTable is the version of the cost table by which its instructions are counted, for as
	// long as it runs. Releases of a time before there were two have none: see CostTable.
	FuelTable int `json:"fuel_table,omitempty"`
	// Made is what the module says that it was made of; nil if it was made of no script, or if the
	// release is of a time before that was noted.
	Made *source.Origin `json:"made,omitempty"`
	// Rebuilt reports whether this node made the same module of the files that the module carries.
	Rebuilt  bool          `json:"rebuilt,omitempty"`
	Signer   Signer        `json:"signer"`
	Bundle   Digest        `json:"bundle"` // blob of the signature bundle
	Findings []abi.Finding `json:"findings,omitempty"`
	// Requires are the capabilities that the rules wanted reviewed for this very
	// release when it was uploaded: no grant of another release will do.
	Requires   []string  `json:"requires,omitempty"`
	Created    time.Time `json:"created"`
	CreatedBy  string    `json:"created_by"`
	abi.Behalf           // of who uploaded it
	// Charged is whose quota the release counts in, if the app was handed over since it was
	// uploaded. But for it and Group, nothing of a release ever changes.
	Charged string `json:"charged,omitempty"`
	// Group is the id of the group whose quota the release counts in, too: the one that owns its app. The
	// store keeps it.
	Group string `json:"group,omitempty"`
}

// CostTable returns the version of the cost table by which the release is counted.
func (r Release) CostTable() int { return max(1, r.FuelTable) }

// How a signature was made.
const (
	MethodKey      = "key"      // with a registered key
	MethodIdentity = "identity" // with a certificate for an identity
)

// Signer says whose signature a release carries and how it was checked.
type Signer struct {
	Identity string `json:"identity"` // the person who signed, by the name that they have now
	// SignedAs is the name that the certificate is for, where the person has another one now.
	SignedAs string    `json:"signed_as,omitempty"`
	Method   string    `json:"method"` // MethodKey or MethodIdentity
	Issuer   string    `json:"issuer,omitempty"`
	KeyHint  string    `json:"key_hint,omitempty"` // base64(sha256(SPKI)), for method "key"
	Trust    string    `json:"trust"`              // which trust root: "local" or "key"
	SignedAt time.Time `json:"signed_at"`
}

// Certified is the name that a certificate has to be for: the one that it was for before.
func (s Signer) Certified() string { return cmp.Or(s.SignedAs, s.Identity) }

// Activation records that a tier of an app was routed to a release.
type Activation struct {
	App        string    `json:"app"`
	Tier       abi.Tier  `json:"tier"`
	Release    int       `json:"release"`
	Previous   int       `json:"previous"` // 0: none
	Rollback   bool      `json:"rollback"`
	Reason     string    `json:"reason,omitempty"`
	By         string    `json:"by"`
	abi.Behalf           // of who did it
	At         time.Time `json:"at"`
}

// Key is a public key that signs for an identity.
type Key struct {
	Hint     string    `json:"hint"` // base64(sha256(SPKI DER))
	PEM      string    `json:"pem"`  // SubjectPublicKeyInfo
	Identity string    `json:"identity"`
	AddedBy  string    `json:"added_by"`
	Added    time.Time `json:"added"`
}

// Reader is what one transaction can read of the registry. Methods return ErrNotFound for what
// does not exist.
type Reader interface {
	App(name string) (App, error)
	Apps() ([]App, error) // by name
	NumberOfApps() (int, error)
	Release(app string, number int) (Release, error)
	// ReleaseNumbers lists the numbers of an app's releases, newest first.
	ReleaseNumbers(app string) ([]int, error)
	// TierActivations yields the activations of one tier of an app, newest first, and reads no
	// more of them than it is asked for.
	TierActivations(app string, tier abi.Tier) iter.Seq2[Activation, error]
	Key(hint string) (Key, error)
	HostName(host string) (HostName, error)
	HostNamesOf(app string) ([]HostName, error) // by host
	Certificate(id string) (Issued, error)
	// LastCertificate reads the newest certificate.
	LastCertificate() (Issued, error)
	// Named reports whether a release names a blob.
	Named(Digest) (bool, error)
	// Unnamed lists the blobs that are noted as named by no release, by digest.
	Unnamed() ([]Unnamed, error)
}

// Writer is what one transaction can change in the registry.
type Writer interface {
	PutApp(App) error
	// AddRelease stores a new release; ErrExists if the number is taken. What it names is no
	// longer noted as unnamed.
	AddRelease(Release) error
	// DeleteRelease forgets a release. Its number is not given again. Blobs that no other release
	// names are noted as unnamed.
	DeleteRelease(app string, number int) error
	// ChargeRelease counts a release in the quota of another person.
	ChargeRelease(app string, number int, to string) error
	AddActivation(Activation) error
	PutKey(Key) error
	DeleteKey(hint string) error
	PutHostName(HostName) error
	DeleteHostName(host string) error
	// NextCertificate returns the next certificate id.
	NextCertificate() (string, error)
	// PutCertificate stores a certificate, which is never changed.
	PutCertificate(Issued) error
}

// Unnamed is a blob that no release names. Its bytes count as its owner's until its file is gone.
type Unnamed struct {
	Digest Digest    `json:"digest"`
	Owner  string    `json:"owner,omitempty"` // of the last release that named it, if one did
	Group  string    `json:"group,omitempty"` // and its group
	Size   int64     `json:"size,omitempty"`  // that is counted
	Since  time.Time `json:"since"`
}

// Verifier checks that a bundle signs exactly these module bytes.
// It returns ErrUnsigned, ErrBadSignature or ErrUntrusted, wrapped with what
// to do. keys finds the registered public key for a key hint.
type Verifier interface {
	Verify(module, bundle []byte, keys func(hint string) (Key, error)) (Signer, error)
}
