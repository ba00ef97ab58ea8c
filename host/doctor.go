package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/host/internal/blobstore"
	"github.com/agora-host/agora/host/internal/boltstore"
	"github.com/agora-host/agora/host/internal/web"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/registry/sigstore"
)

// Check is one line of the doctor's report, as the API answers it.
type Check = web.Check

// Doctor reads everything stored, down to the last byte, and names what is
// damaged. It changes nothing, and the node goes on serving.
func (h *Host) Doctor(ctx context.Context) ([]Check, error) {
	if _, err := h.allow(ctx, access.RoleOperator); err != nil {
		return nil, err
	}
	d := doctor{dir: h.o.DataDir}
	checks := []Check{d.store(storeFiles[0], h.store.Check(ctx)), d.store(storeFiles[1], h.kv.Check(ctx)), d.store(storeFiles[2], h.queue.Check(ctx)), d.blobs(ctx, h.blobs)}
	releases, err := d.releases(ctx, h.store, h.verified)
	if err != nil {
		return nil, err
	}
	return append(checks, releases, h.checkFiles(ctx), h.checkSecrets(ctx), h.checkBooks(ctx), d.cache(), d.snapshots(ctx)), nil
}

// Examine is Doctor for the data directory of a node that does not run, or
// cannot start. It changes nothing but the locks that it holds meanwhile.
func Examine(ctx context.Context, o Options) ([]Check, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(o.DataDir); err != nil {
		return nil, err
	}
	d := doctor{dir: o.DataDir}
	if err := complete(o.DataDir); errors.Is(err, registry.ErrCorrupt) {
		return []Check{verdict("data directory", "", restoreRemedy(o.DataDir), err)}, nil
	} else if err != nil {
		return nil, err
	}
	var checks []Check
	sound := true
	for _, s := range storeFiles {
		damaged, err := d.readLocked(s)
		if err != nil {
			return nil, err
		}
		sound = sound && len(damaged) == 0
		checks = append(checks, d.store(s, damaged))
	}
	blobs := blobstore.Look(filepath.Join(o.DataDir, blobsDir))
	checks = append(checks, d.blobs(ctx, blobs))
	releases := Check{Name: "releases", Detail: "not checked: the state that lists them is damaged", Remedy: restoreRemedy(o.DataDir)}
	if sound {
		if releases, err = d.releasesOffline(ctx, o, blobs); err != nil {
			releases = Check{Name: "releases", Detail: "not checked: " + err.Error(), Remedy: restoreRemedy(o.DataDir)}
		}
	}
	return append(checks, releases, d.cache(), d.snapshots(ctx)), nil
}

// doctor makes the lines of a report about a data directory.
type doctor struct{ dir string }

func restoreRemedy(dir string) abi.Remedy {
	return abi.Remedy{
		Summary:  "Stop the node. Go back to its last snapshot, or restore a backup into a new directory.",
		Commands: []string{"agora restore --snapshot latest --data " + dir, "agora restore FILE --data NEWDIR"},
	}
}

// verdict makes one line of the report out of what a check found.
func verdict(name, well string, remedy abi.Remedy, problems ...error) Check {
	if len(problems) == 0 {
		return Check{Name: name, OK: true, Detail: well}
	}
	c := Check{Name: name, Detail: "1 thing is damaged", Remedy: remedy}
	if n := len(problems); n > 1 {
		c.Detail = fmt.Sprintf("%d things are damaged", n)
	}
	for _, p := range problems {
		if d, ok := errors.AsType[*registry.Damage](p); ok {
			c.Damage = append(c.Damage, web.Damage{File: d.File, Item: d.Item, Detail: d.Detail})
		} else {
			c.Damage = append(c.Damage, web.Damage{Detail: p.Error()})
		}
	}
	return c
}

func (d doctor) store(s storeFile, problems []error) Check {
	return verdict(s.about, s.well, restoreRemedy(d.dir), problems...)
}

// readLocked reads a store's file that no process may have open.
func (d doctor) readLocked(s storeFile) ([]error, error) {
	path := filepath.Join(d.dir, s.name)
	unlock, err := boltstore.Lock(path)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return s.verify(path, nil), nil
}

func (d doctor) blobs(ctx context.Context, blobs *blobstore.Store) Check {
	n, damaged := blobs.Check(ctx)
	return verdict("modules and signatures", fmt.Sprintf("%d files match their digests", n), abi.Remedy{
		Summary:  "Delete the file and upload its release again (the line \"releases\" says which), or copy the file out of a backup: its name is its digest.",
		Commands: []string{"agora deploy"},
	}, damaged...)
}

// releases verifies every release's signature over its stored bytes.
func (d doctor) releases(ctx context.Context, store *boltstore.Store, verified func(context.Context, registry.Release) ([]byte, error)) (Check, error) {
	var releases []registry.Release
	err := store.View(ctx, func(tx *boltstore.Tx) error {
		apps, err := tx.Apps()
		if err != nil {
			return err
		}
		for _, app := range apps {
			of, err := tx.Releases(app.Name)
			if err != nil {
				return err
			}
			releases = append(releases, of...)
		}
		return nil
	})
	remedy := abi.Remedy{Summary: "Upload the release again, or register the key that signed it.", Commands: []string{"agora keys", "agora deploy"}}
	if errors.Is(err, registry.ErrCorrupt) {
		return verdict("releases", "", restoreRemedy(d.dir), err), nil
	}
	if err != nil {
		return Check{}, err
	}
	var problems []error
	for _, r := range releases {
		if err := ctx.Err(); err != nil {
			return Check{}, err
		}
		if _, err := verified(ctx, r); err != nil {
			problems = append(problems, fmt.Errorf("release %d of %q: %w", r.Number, r.App, err))
		}
	}
	return verdict("releases", fmt.Sprintf("%d releases are signed by whom they say", len(releases)), remedy, problems...), nil
}

// releasesOffline opens just what verifying takes.
func (d doctor) releasesOffline(ctx context.Context, o Options, blobs *blobstore.Store) (c Check, err error) {
	store, err := boltstore.Open(filepath.Join(d.dir, stateFile), o.Now)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	authority, err := sigstore.OpenAuthority(filepath.Join(d.dir, filepath.Dir(trustFile)), o.Now)
	if err != nil {
		return verdict("releases", "", restoreRemedy(d.dir), fmt.Errorf("the trust root: %w", err)), nil
	}
	root, err := authority.TrustedRootJSON()
	if err != nil {
		return c, err
	}
	verifier, err := sigstore.NewVerifier(root)
	if err != nil {
		return c, err
	}
	h := &Host{o: o, store: store, blobs: blobs, authority: authority, verifier: verifier}
	return d.releases(ctx, store, h.verified)
}

func (d doctor) cache() Check {
	n, damaged, err := engine.CheckCache(filepath.Join(d.dir, cacheDir))
	if err != nil {
		damaged = append(damaged, err)
	}
	return verdict("compiled code", fmt.Sprintf("%d files carry this node's MAC", n),
		abi.Remedy{Summary: "Nothing has to be done: a damaged file is not run, and is compiled again when it is needed. If it happens again, look at the disk."}, damaged...)
}

// snapshots reads every snapshot as a whole.
func (d doctor) snapshots(ctx context.Context) Check {
	remedy := abi.Remedy{Summary: "Delete the snapshot's directory; a new one is made each hour. Look at the disk."}
	all, err := snapshots(d.dir)
	var problems []error
	if err != nil {
		problems = append(problems, err)
	}
	for _, name := range all {
		for _, s := range storeFiles {
			if ctx.Err() == nil {
				problems = append(problems, s.verify(filepath.Join(d.dir, snapshotsDir, name, s.name), nil)...)
			}
		}
	}
	well := "there is none yet; one is made each hour"
	if len(all) > 0 {
		well = fmt.Sprintf("%d are whole, the last from %s", len(all), all[len(all)-1])
	}
	return verdict("snapshots", well, remedy, problems...)
}

// checkBooks reads the journals that are kept, and compares them with what is
// billed.
func (h *Host) checkBooks(ctx context.Context) Check {
	const name = "usage"
	look := abi.Remedy{Summary: "Read the node's log; make sure that the data directory can be read and written."}
	r, err := h.meter.Reconcile(ctx)
	if err != nil {
		return Check{Name: name, Detail: err.Error(), Remedy: look}
	}
	findings, err := h.meter.Findings(ctx)
	if err != nil {
		return Check{Name: name, Detail: err.Error(), Remedy: look}
	}
	findings = slices.DeleteFunc(findings, func(f abi.Finding) bool { return f.Severity == abi.SeverityNote })
	if len(findings) == 0 {
		return Check{Name: name, OK: true, Detail: fmt.Sprintf("%d calls are billed, and the %d journals that are kept say the same", r.Balance.Cells.Calls, r.Epochs)}
	}
	var problems []error
	for _, f := range findings {
		problems = append(problems, errors.New(f.Message))
	}
	return verdict(name, "", findings[0].Remedy, problems...)
}

// checkFiles reads every file that an app keeps.
func (h *Host) checkFiles(ctx context.Context) Check {
	n, problems := h.files.Check(ctx)
	remedy := restoreRemedy(h.o.DataDir)
	remedy.Summary = "Let the app put it again, or restore a backup."
	return verdict("apps' files", fmt.Sprintf("%d files are what was written", n), remedy, problems...)
}
