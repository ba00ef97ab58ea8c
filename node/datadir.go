package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/store/boltstore"
)

// The files and directories of a data directory that are named in more than one
// place.
const (
	stateFile    = "agora.db"
	kvFile       = "kv.db"
	queueFile    = "queue.db"
	trustFile    = "trust/authority.pem"
	nodeFile     = "node" // the node's id
	secretsFile  = "secret.keys"
	identityFile = "identity.keys" // what apps are told of people is made of
	blobsDir     = "blobs"
	filesDir     = "files" // of apps
	journalDir   = "journal"
	cacheDir     = "cache"
	logsDir      = "logs"
	snapshotsDir = "snapshots"
	samplesDir   = "samples"
	startsFile   = "starts"
)

// storeFile is a file that changes in place: it is read under its lock, or
// copied by whoever has it open, and never just read.
type storeFile struct {
	name   string
	about  string
	well   string
	verify func(path string, rest func() error) []error
	copy   func(stores) copier
}

// stores are those files, open.
type stores struct {
	file  *boltstore.Store // the state, and the usage
	kv    *boltstore.KV
	queue *boltstore.Queue
}

var storeFiles = []storeFile{
	{stateFile, "state", "every page and record is what was written; none is missing and none came back", boltstore.Verify, func(s stores) copier { return s.file }},
	{kvFile, "apps' data", "every page and record is what was written; none is missing; quotas are counted right", boltstore.VerifyKV, func(s stores) copier { return s.kv }},
	{queueFile, "queue", "every page and record of events and triggers is what was written; none is missing", boltstore.VerifyQueue, func(s stores) copier { return s.queue }},
}

// complete notices that a part of a data directory is gone, which opening it
// would quietly make anew. The state is made last and so proves that the rest
// was there.
func complete(dir string) error {
	there := func(name string) (bool, error) {
		_, err := os.Lstat(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	}
	state, err := there(stateFile)
	if err != nil {
		return err
	}
	if state {
		names := []string{kvFile, trustFile}
		if ok, err := there(nodeFile); err != nil || ok {
			names = append(names, queueFile) // versions that gave nodes no id had no queue either
		}
		for _, name := range names {
			if ok, err := there(name); err != nil || !ok {
				return errors.Join(err, gone(dir, name))
			}
		}
		return nil
	}
	modules, err := filepath.Glob(filepath.Join(dir, blobsDir, "sha256", "*", "*"))
	if err != nil || len(modules) > 0 {
		return errors.Join(err, gone(dir, stateFile))
	}
	return nil
}

func gone(dir, name string) error {
	return fmt.Errorf("%w. Nothing was changed. Bring it back with `agora restore --snapshot latest --data %s`, or restore a backup into another directory with `agora restore FILE --data DIR`",
		&storage.Damage{File: filepath.Join(dir, filepath.FromSlash(name)), Detail: "is gone, though there is data that belongs to it"}, dir)
}
