package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/apps"
	"github.com/agora-host/agora/control/inbox"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/store/blobstore"
	"github.com/agora-host/agora/store/filestore"
	"github.com/agora-host/agora/triggers"
)

// Check is one line of the doctor's report, as the API returns it.
type Check = control.Check

// Checkup examines a node that runs.
type Checkup struct {
	doctor
	stores
	desk      *control.Desk
	blobs     *blobstore.Store
	store     state.Store
	verifier  verifier
	files     *filestore.Store
	ring      *secrets.Ring
	keeper    *apps.Keeper
	meter     *metering.Meter
	reserve   *reserve
	watch     *calm.Watch
	starts    *startRecord
	followers *state.Followers
	budgets   *budgets
	triggers  *triggers.Dispatcher
	paused    bool // all triggers
	tls       *security
	signIn    *signIn
	inbox     *inbox.Service
	outlets   outlets
}

// Doctor reads everything stored, down to the last byte, and names what is
// damaged. It changes nothing, and the node goes on serving.
func (c *Checkup) Doctor(ctx context.Context) ([]Check, error) {
	if _, err := c.desk.May(ctx, access.Operate, access.TheNode); err != nil {
		return nil, err
	}
	d := c.doctor
	one := func(c Check) ([]Check, error) { return []Check{c}, nil }
	var checks []Check
	for _, look := range []func() ([]Check, error){
		func() ([]Check, error) { return one(d.store(storeFiles[0], c.file.Check(ctx))) },
		func() ([]Check, error) { return one(d.store(storeFiles[1], c.kv.Check(ctx))) },
		func() ([]Check, error) { return one(d.store(storeFiles[2], c.queue.Check(ctx))) },
		func() ([]Check, error) { return one(d.blobs(ctx, c.blobs)) },
		func() ([]Check, error) {
			line, err := d.releases(ctx, c.store, c.verifier.verified)
			return []Check{line}, err
		},
		func() ([]Check, error) { return one(d.files(ctx, c.files)) },
		func() ([]Check, error) { return one(d.secrets(ctx, c.store, c.ring)) },
		func() ([]Check, error) { return one(d.certificates(ctx, c.keeper)) },
		func() ([]Check, error) { return d.reconcile(ctx, c.meter), nil },
		func() ([]Check, error) { return one(d.cache(ctx)) },
		func() ([]Check, error) { return one(d.snapshots(ctx)) },
		func() ([]Check, error) {
			return []Check{checkConfinement(engine.Unconfined()), c.reserve.check(), d.panics(c.watch), c.starts.check()}, nil
		},
		func() ([]Check, error) { return checkFollowers(c.followers.State()), nil },
		func() ([]Check, error) { return c.budgets.check(), nil },
		func() ([]Check, error) { return c.checkTriggers(), nil },
		func() ([]Check, error) { return c.tls.check(), nil },
		func() ([]Check, error) { return c.signIn.check(ctx, c.watch), nil },
		func() ([]Check, error) { return c.checkNotices(ctx) },
	} {
		found, err := look()
		if err := errors.Join(err, ctx.Err()); err != nil {
			return nil, err // whoever asked has left: what was not read is not damaged
		}
		checks = append(checks, found...)
	}
	return checks, nil
}

// doctor makes the lines of a report about a data directory.
type doctor struct{ dir string }

func (d doctor) path(name string) string { return filepath.Join(d.dir, filepath.FromSlash(name)) }

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
		c.Detail = humanize.Plural(n, "thing is damaged", "things are damaged")
	}
	for _, p := range problems {
		c.Damage = append(c.Damage, damageOf(p))
	}
	return c
}

func damageOf(problem error) control.Damage {
	if d, ok := errors.AsType[*storage.Damage](problem); ok {
		return control.Damage{File: d.File, Item: d.Item, Detail: d.Detail}
	}
	return control.Damage{Detail: problem.Error()}
}

func (d doctor) store(s storeFile, problems []error) Check {
	return verdict(s.about, s.well, restoreRemedy(d.dir), problems...)
}

func (d doctor) blobs(ctx context.Context, blobs *blobstore.Store) Check {
	n, damaged := blobs.Check(ctx)
	return verdict("modules and signatures", humanize.Plural(n, "file matches its digest", "files match their digests"), abi.Remedy{
		Summary:  "Delete the file and upload its release again (the line \"releases\" says which), or copy the file out of a backup: its name is its digest.",
		Commands: []string{"agora deploy"},
	}, damaged...)
}

// releases verifies every release's signature over its stored bytes.
func (d doctor) releases(ctx context.Context, store state.Store, verified func(context.Context, registry.Release) ([]byte, error)) (Check, error) {
	remedy := abi.Remedy{Summary: "Upload the release again, or register the key that signed it.", Commands: []string{"agora keys list", "agora deploy"}}
	n, problems := 0, []error(nil)
	err := eachRelease(ctx, store, func(r registry.Release) error {
		n++
		if _, err := verified(ctx, r); err != nil {
			problems = append(problems, fmt.Errorf("release %d of %q: %w", r.Number, r.App, err))
		}
		return ctx.Err()
	})
	if errors.Is(err, storage.ErrCorrupt) {
		return verdict("releases", "", restoreRemedy(d.dir), err), nil
	}
	if err != nil {
		return Check{}, err
	}
	return verdict("releases", humanize.Plural(n, "release is signed by whom it says", "releases are signed by whom they say"), remedy, problems...), nil
}

// eachRelease shows all releases of all apps, some at a time: there may be more than fit into
// memory, and no transaction lasts while they are looked at.
func eachRelease(ctx context.Context, store state.Store, see func(registry.Release) error) error {
	var apps []registry.App
	err := store.View(ctx, func(tx state.Reader) (err error) {
		apps, err = tx.Apps()
		return err
	})
	for _, app := range apps {
		for p := (state.Part{Limit: 100}); err == nil; {
			var part []registry.Release
			err = store.View(ctx, func(tx state.Reader) (err error) {
				part, p.After, err = tx.ReleasesPart(app.Name, p)
				return err
			})
			for _, r := range part {
				err = errors.Join(err, see(r))
			}
			if p.After == nil {
				break
			}
		}
	}
	return err
}

func (d doctor) cache(ctx context.Context) Check {
	n, damaged, err := engine.CheckCache(ctx, d.path(cacheDir))
	if err != nil {
		damaged = append(damaged, err)
	}
	return verdict("compiled code", humanize.Plural(n, "file carries this node's MAC", "files carry this node's MAC"),
		abi.Remedy{Summary: "Nothing has to be done: a damaged file is not run, and is compiled again when it is needed. If it happens again, look at the disk."}, damaged...)
}

// checkConfinement says what holds the process that compiles modules. A node without a protection
// goes on, with one less between a hostile module and its data.
func checkConfinement(missing []string) Check {
	c := Check{Name: "compiling", OK: true, Detail: "in a process that reaches one directory and no network, within limits by the module's size"}
	if len(missing) > 0 {
		c.Detail = "in a process that its limits alone confine: this system lacks " + strings.Join(missing, " and ") +
			". Use a Linux kernel of version 5.13 or newer with Landlock among its security modules, in a container that allows both"
	}
	return c
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
				problems = append(problems, s.verify(filepath.Join(d.dir, snapshotsDir, name, s.name), ctx.Err)...)
			}
		}
	}
	well := "there is none yet; one is made each hour"
	if len(all) > 0 {
		well = fmt.Sprintf("%d are whole, the last from %s", len(all), all[len(all)-1])
	}
	return verdict("snapshots", well, remedy, problems...)
}

// files reads every file that an app keeps.
func (d doctor) files(ctx context.Context, files *filestore.Store) Check {
	n, problems := files.Check(ctx)
	return verdict("apps' files", humanize.Plural(n, "file is what was written", "files are what was written"), abi.Remedy{
		Summary:  "The node runs, and refuses these files alone. Let the app put them again, or copy them out of a backup to the same place: restore one beside and take the file from there.",
		Commands: []string{"agora restore FILE --data NEWDIR", "cp NEWDIR/files/… " + d.path(filesDir) + "/…"},
	}, problems...)
}

var secretsRemedy = abi.Remedy{Summary: "Restore the key file from a backup, or let the owners set these secrets again."}

// secrets opens every secret, and keeps none.
func (d doctor) secrets(ctx context.Context, store state.Store, ring *secrets.Ring) Check {
	var all []secrets.Secret
	var problems []error
	err := store.View(ctx, func(tx state.Reader) (err error) {
		all, err = tx.Secrets("")
		return err
	})
	if err != nil {
		problems = append(problems, err)
	}
	for _, s := range all {
		if _, err := ring.Open(s); err != nil {
			problems = append(problems, &storage.Damage{File: d.path(secretsFile), Detail: err.Error()})
		}
	}
	return verdict("secrets", fmt.Sprintf("%d can be opened", len(all)), secretsRemedy, problems...)
}

// certificates checks what was issued for what was removed.
func (d doctor) certificates(ctx context.Context, keeper *apps.Keeper) Check {
	n, problems := keeper.CheckCertificates(ctx)
	return verdict("certificates", fmt.Sprintf("%d of removals, each signed and in order", n), restoreRemedy(d.dir), problems...)
}

// panics returns the doctor's line about the node's own code.
func (d doctor) panics(watch *calm.Watch) Check {
	counts := watch.Counts()
	if len(counts) == 0 {
		return Check{Name: "panics", OK: true, Detail: "the node's own code has not panicked since its start"}
	}
	var total uint64
	var by []string
	for where, n := range counts {
		total += n
		by = append(by, fmt.Sprintf("%s: %d", where, n))
	}
	slices.Sort(by)
	c := Check{Name: "panics", OK: !watch.Unwell(), Detail: fmt.Sprintf("%d were recovered since the start (%s): each is a defect, and is in the node's log with its stack", total, strings.Join(by, ", "))}
	if !c.OK {
		c.Detail = "five or more within a minute; " + c.Detail
		c.Remedy = abi.Remedy{
			Summary:  "Find out from the log what causes them, and report it. If it is what triggers deliver, pause the trigger, or start the node with all of them paused.",
			Commands: []string{"agora triggers pause APP KIND NAME", "agora serve --pause-triggers --data " + d.dir},
		}
	}
	return c
}

// checkTriggers returns the doctor's line about a node that delivers nothing; nil if it does.
func (c *Checkup) checkTriggers() []Check {
	if !c.paused {
		return nil
	}
	return []Check{{Name: "triggers", OK: true, Detail: fmt.Sprintf("paused on this node, which was started with --pause-triggers: %s; restart it without the flag to resume", humanize.Plural(c.triggers.Waiting(), "delivery waits", "deliveries wait"))}}
}
