package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/journal"
	"github.com/agora-host/agora/registry/sigstore"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/store/blobstore"
	"github.com/agora-host/agora/store/boltstore"
	"github.com/agora-host/agora/store/boltstore/checked"
	"github.com/agora-host/agora/store/filestore"
)

// Examine is Doctor for the data directory of a node that does not run, or
// cannot start. It changes nothing, and keeps other processes out meanwhile.
func Examine(ctx context.Context, o Options) ([]Check, error) {
	checks, err := examine(ctx, o)
	if errors.Is(err, checked.ErrLocked) {
		err = fmt.Errorf("%w. A node that runs is asked with `agora doctor`, without --data", err)
	}
	return checks, err
}

func examine(ctx context.Context, o Options) ([]Check, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(o.DataDir); err != nil {
		return nil, err
	}
	d := doctor{dir: o.DataDir}
	if err := complete(o.DataDir); errors.Is(err, storage.ErrCorrupt) {
		return []Check{verdict("data directory", "", restoreRemedy(o.DataDir), err)}, nil
	} else if err != nil {
		return nil, err
	}
	blobs := blobstore.Look(d.path(blobsDir))
	var releases, secrets, files Check
	var usage []Check
	state, err := d.inspect(storeFiles[0], func(path string) error {
		return boltstore.Inspect(path, o.Now, func(s *boltstore.Store) error {
			releases, secrets = d.releasesOffline(ctx, o, s, blobs), d.secretsOffline(ctx, s)
			usage = d.books(ctx, o, s)
			return nil
		})
	}, &releases, &secrets)
	if err != nil {
		return nil, err
	}
	if usage == nil {
		usage = d.books(ctx, o, nil)
	}
	kv, err := d.inspect(storeFiles[1], func(path string) error {
		return boltstore.InspectKV(path, o.Now, func(kv *boltstore.KV) error {
			files = d.files(ctx, filestore.Look(d.path(filesDir), kv))
			return nil
		})
	}, &files)
	if err != nil {
		return nil, err
	}
	queue, err := d.readLocked(storeFiles[2])
	if err != nil {
		return nil, err
	}
	releases.Name, secrets.Name, files.Name = "releases", "secrets", "apps' files"
	checks := []Check{state, kv, queue, d.blobs(ctx, blobs), releases, files, secrets}
	return append(append(checks, usage...), d.cache(ctx), d.snapshots(ctx), readStarts(o.DataDir, o.Now()).check(o.DataDir)), nil
}

// inspect makes the line about a store of what reading it answers, and, if it
// could not be read in parts, those about what it lists.
func (d doctor) inspect(s storeFile, read func(path string) error, lists ...*Check) (Check, error) {
	err := read(d.path(s.name))
	damaged, broken := errors.AsType[*checked.DamagedError](err)
	earlier := errors.Is(err, checked.ErrEarlier)
	if err != nil && !broken && !earlier {
		return Check{}, err
	}
	for _, line := range lists {
		switch {
		case broken:
			*line = Check{Detail: "not checked: the " + s.about + " that lists them is damaged", Remedy: restoreRemedy(d.dir)}
		case earlier:
			*line = Check{OK: true, Detail: "not checked: " + err.Error() + "; then ask the node, with `agora doctor`"}
		}
	}
	if broken {
		return d.store(s, damaged.Damage), nil
	}
	return d.store(s, nil), nil
}

// readLocked reads a store's file that no process may have open.
func (d doctor) readLocked(s storeFile) (Check, error) {
	unlock, err := checked.Lock(d.path(s.name))
	if err != nil {
		return Check{}, err
	}
	defer unlock()
	return d.store(s, s.verify(d.path(s.name), nil)), nil
}

// releasesOffline opens just what verifying takes.
func (d doctor) releasesOffline(ctx context.Context, o Options, store *boltstore.Store, blobs *blobstore.Store) Check {
	authority, err := sigstore.OpenAuthority(filepath.Dir(d.path(trustFile)), o.Now)
	if err != nil {
		return verdict("releases", "", abi.Remedy{
			Summary:  "Copy the file out of a backup: restore one beside, and take it from there. Without it, what it certified no longer verifies.",
			Commands: []string{"agora restore FILE --data NEWDIR", "cp NEWDIR/" + trustFile + " " + d.path(trustFile)},
		}, damageTo(d.path(trustFile), err))
	}
	root, err := authority.TrustedRootJSON()
	var c Check
	if err == nil {
		var trusted *sigstore.Verifier
		if trusted, err = sigstore.NewVerifier(root); err == nil {
			c, err = d.releases(ctx, store, verifier{trusted, store, blobs}.verified)
		}
	}
	if err != nil {
		return Check{Detail: "not checked: " + err.Error(), Remedy: restoreRemedy(d.dir)}
	}
	return c
}

func (d doctor) secretsOffline(ctx context.Context, store *boltstore.Store) Check {
	ring := new(secrets.Ring) // without keys, if the file is gone
	path := d.path(secretsFile)
	if _, err := os.Stat(path); err == nil {
		if ring, err = secrets.OpenRing(path); err != nil {
			return verdict("secrets", "", secretsRemedy, damageTo(path, err))
		}
	}
	return d.secrets(ctx, store, ring)
}

// damageTo names the file that an error is about.
func damageTo(path string, err error) *storage.Damage {
	return &storage.Damage{File: path, Detail: strings.TrimLeft(strings.TrimPrefix(err.Error(), path), ": ")}
}

// books reads the journals, and compares them with a state, if there is one.
func (d doctor) books(ctx context.Context, o Options, state *boltstore.Store) []Check {
	node, err := readNodeID(d.path(nodeFile))
	if err != nil {
		return []Check{verdict("usage", "", abi.Remedy{
			Summary:  "Put the id back: each journal has it, and `agora doctor` says it once the file is away.",
			Commands: []string{"mv " + d.path(nodeFile) + " " + d.path(nodeFile) + ".damaged", "agora doctor --data " + d.dir},
		}, err)}
	}
	m := metering.Options{FS: journal.Look(d.path(journalDir)), Node: node, Now: o.Now}
	if state != nil {
		m.Store = state
	}
	x, err := metering.Examine(ctx, m)
	if errors.Is(err, journal.ErrLocked) {
		return []Check{{Name: "usage", Detail: "not checked: " + err.Error(), Remedy: abi.Remedy{
			Summary: "Ask the node that runs, or stop the process that has the journals.", Commands: []string{"agora doctor"}}}}
	}
	if err != nil {
		return []Check{{Name: "usage", Detail: "not checked: " + err.Error(), Remedy: abi.Remedy{Summary: "Make sure that the data directory can be read."}}}
	}
	well := fmt.Sprintf("%s billed, and the journals say the same (%s read)", humanize.Plural(x.Billed, "call is", "calls are"), humanize.Plural(x.Journals, "was", "were"))
	if state == nil {
		well = fmt.Sprintf("the journals are legible (%d were read), and compared with nothing, since the state cannot be read", x.Journals)
	} else if x.Waiting > 0 {
		well += fmt.Sprintf("; the next start bills %d more that are in them", x.Waiting)
	}
	return d.usage(well, x.Found)
}
