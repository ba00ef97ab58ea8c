package node

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/internal/durable"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/journal"
	"github.com/agora-host/agora/store/boltstore"
)

func openMeter(ctx context.Context, o Options, file *boltstore.Store, log *slog.Logger, watch *calm.Watch) (*metering.Meter, error) {
	node, err := nodeID(filepath.Join(o.DataDir, nodeFile))
	if err != nil {
		return nil, err
	}
	disk, err := journal.Disk(filepath.Join(o.DataDir, journalDir))
	if err != nil {
		return nil, err
	}
	return metering.Open(ctx, metering.Options{FS: disk, Node: node, Store: file, Now: o.Now, Log: log, FlushEvery: o.FlushEvery, Watch: watch})
}

// nodeID reads the node's id, or makes one: 128 random bits, once and for all.
func nodeID(path string) (string, error) {
	if id, err := readNodeID(path); err != nil || id != "" {
		return id, err
	}
	var random [16]byte
	rand.Read(random[:])
	id := hex.EncodeToString(random[:])
	if err := durable.Replace(filepath.Dir(path), path, []byte(id+"\n")); err != nil {
		return "", fmt.Errorf("make the node's id: %w", err)
	}
	return id, nil
}

// readNodeID returns "" if the node has no id yet.
func readNodeID(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the node's id: %w", err)
	}
	id := strings.TrimSpace(string(raw))
	if b, err := hex.DecodeString(id); err != nil || len(b) != 16 {
		return "", &storage.Damage{File: path, Detail: fmt.Sprintf("holds %q, which is no node's id: restore the file, since usage is kept under it", id)}
	}
	return id, nil
}
