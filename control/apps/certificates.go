package apps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

const (
	keptUsage  = "usage and its totals, which were billed or will be"
	keptAudit  = "events, requests and decisions, for the audit"
	keptCopies = "copies made before, until they are replaced: this node's hourly snapshots, with the files of modules that they name, for about a day; backups outside of this node"
)

var (
	keptOfReleases = []string{keptUsage, keptAudit, keptCopies}
	keptOfApps     = []string{"the app's name, owner, team and cost center: the name is not given to another app", keptUsage,
		"samples of its calls, without content, for thirty days", keptAudit, "events that other apps were sent", keptCopies}
)

func removedRelease(r registry.Release) registry.Removed {
	return registry.Removed{Kind: "release", Name: strconv.Itoa(r.Number), Version: r.Version, Digest: r.Digest, Bytes: r.Size}
}

// issue numbers, chains, signs and stores a certificate, in the transaction that removes what it is
// about: neither is there without the other.
func (k *Keeper) issue(tx state.Tx, c registry.Certificate) (registry.Issued, error) {
	var issued registry.Issued
	last, err := tx.LastCertificate()
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return issued, err
	}
	if c.ID, err = tx.NextCertificate(); err != nil {
		return issued, err
	}
	c.At, c.Previous = k.desk.Now().UTC(), last.Digest
	issued.Certificate = c
	if issued.Document, err = json.Marshal(c); err != nil {
		return issued, err
	}
	if issued.Signature, err = k.seal.SignDocument(issued.Document); err != nil {
		return issued, fmt.Errorf("sign the certificate: %w", err)
	}
	issued.Digest = registry.DigestOf(issued.Document)
	tx.Emit("certificate.issued", c.App, c.ID, map[string]string{"digest": string(issued.Digest), "what": c.What})
	return issued, tx.PutCertificate(issued)
}

// Certificates lists certificates of what was removed, of one app or, for "", of all: to the owner
// at that time and the present one, to reviewers and to operators.
func (k *Keeper) Certificates(ctx context.Context, app string, p control.Page) (all control.Items[registry.Issued], err error) {
	actor, err := k.desk.Door(ctx, access.ReadCertificate)
	if err != nil {
		return all, err
	}
	err = k.desk.View(ctx, func(tx state.Reader) error {
		sees := certificateEyes(tx, actor)
		all, err = control.Part(p, func(p state.Part) ([]registry.Issued, []byte, error) {
			return tx.CertificatesPart(p, func(c registry.Issued) bool { return (app == "" || c.App == app) && sees(c) })
		})
		return err
	})
	return all, err
}

func certificateEyes(tx state.Reader, actor access.Actor) func(registry.Issued) bool {
	return func(c registry.Issued) bool {
		if access.Allowed(actor, access.ReadCertificate, access.App(c.App, c.Owner)) {
			return true
		}
		app, err := tx.App(c.App)
		return err == nil && access.Allowed(actor, access.ReadCertificate, control.OfApp(app))
	}
}

// Certificate reads one, and checks that it is what the node signed.
func (k *Keeper) Certificate(ctx context.Context, id string) (c registry.Issued, err error) {
	actor, err := k.desk.Door(ctx, access.ReadCertificate)
	if err != nil {
		return c, err
	}
	err = k.desk.View(ctx, func(tx state.Reader) error {
		if c, err = tx.Certificate(id); err != nil {
			return fmt.Errorf("certificate %q: %w", id, err)
		}
		if !certificateEyes(tx, actor)(c) {
			return fmt.Errorf("certificate %s is for the owner of %q, for reviewers and for operators: %w", id, c.App, access.ErrForbidden)
		}
		return nil
	})
	if err != nil {
		return registry.Issued{}, err
	}
	return c, k.checkCertificate(c)
}

func (k *Keeper) checkCertificate(c registry.Issued) error {
	if err := k.seal.VerifyDocument(c.Document, c.Signature); err != nil {
		return fmt.Errorf("certificate %s: %w: %w", c.ID, storage.ErrCorrupt, err)
	}
	return nil
}

// CheckCertificates verifies the signature of each certificate, and that none is missing. It returns
// how many there are, and what is wrong.
func (k *Keeper) CheckCertificates(ctx context.Context) (n int, problems []error) {
	var all []registry.Issued
	err := k.desk.View(ctx, func(tx state.Reader) (err error) {
		all, _, err = tx.CertificatesPart(state.Part{Limit: -1}, nil)
		return err
	})
	if err != nil {
		problems = append(problems, err)
	}
	for i, c := range all { // newest first
		if err := k.checkCertificate(c); err != nil {
			problems = append(problems, err)
		}
		var before registry.Digest
		if i+1 < len(all) {
			before = all[i+1].Digest
		}
		if c.Previous != before {
			problems = append(problems, &storage.Damage{Item: "certificate " + c.ID, Detail: "does not follow the one before it"})
		}
	}
	return len(all), problems
}
