package secrets

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/agora-host/agora/internal/durable"
)

// keySize is that of AES-256, in bytes.
const keySize = 32

// Ring are the keys of a node, oldest first. The newest seals; all of them open.
type Ring struct {
	path string

	mu   sync.RWMutex // guards keys
	keys []key
}

type key struct {
	ID    string `json:"id"`
	Bytes []byte `json:"key"`
	aead  cipher.AEAD
}

// OpenRing reads the keys of a file, or makes a file with one. It refuses a file
// that others on this machine can read.
func OpenRing(path string) (*Ring, error) {
	r := &Ring{path: path}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, r.Add()
	}
	if err != nil {
		return nil, err
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %04o): run chmod 600 on it, and consider the secrets known if it was like that for long", path, info.Mode().Perm())
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct{ Keys []key }
	if err := json.Unmarshal(raw, &file); err != nil || len(file.Keys) == 0 {
		return nil, fmt.Errorf("%s holds no keys: restore it from a backup; without it no secret can be opened", path)
	}
	for i := range file.Keys {
		if err := file.Keys[i].prepare(); err != nil {
			return nil, fmt.Errorf("%s: key %d is damaged: restore the file from a backup", path, i+1)
		}
	}
	r.keys = file.Keys
	return r, nil
}

func (k *key) prepare() error {
	if len(k.Bytes) != keySize || k.ID == "" {
		return errors.New("not a key")
	}
	block, err := aes.NewCipher(k.Bytes)
	if err != nil {
		return err
	}
	k.aead, err = cipher.NewGCM(block)
	return err
}

func newKey() key {
	var id [4]byte
	k := key{Bytes: make([]byte, keySize)}
	rand.Read(id[:])
	rand.Read(k.Bytes)
	k.ID = hex.EncodeToString(id[:])
	if err := k.prepare(); err != nil {
		panic("BUG: " + err.Error())
	}
	return k
}

// Newest is the id of the key that seals.
func (r *Ring) Newest() string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.keys[len(r.keys)-1].ID
}

// Add makes a key, which seals from now on. It is durable when Add returns.
func (r *Ring) Add() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.replace(append(slices.Clone(r.keys), newKey()))
}

// Forget drops the keys that are older than one, but those that a record needs. What no key of the ring
// is older than leaves all of them.
func (r *Ring) Forget(olderThan string, needed func(id string) bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := slices.IndexFunc(r.keys, func(k key) bool { return k.ID == olderThan })
	if at <= 0 {
		return nil
	}
	kept := slices.DeleteFunc(slices.Clone(r.keys[:at]), func(k key) bool { return !needed(k.ID) })
	if len(kept) == at {
		return nil
	}
	return r.replace(append(kept, r.keys[at:]...))
}

// replace writes the file and takes the keys if that succeeded. The caller holds
// the lock.
func (r *Ring) replace(keys []key) error {
	raw, err := json.Marshal(map[string][]key{"keys": keys})
	if err != nil {
		return err
	}
	if err := durable.Replace(filepath.Dir(r.path), r.path, raw); err != nil {
		return fmt.Errorf("write the keys of secrets: %w", err)
	}
	r.keys = keys
	return nil
}

// Seal seals a value for an app under a name.
func (r *Ring) Seal(app, name string, value []byte) (id string, sealed []byte) {
	r.mu.RLock()
	k := r.keys[len(r.keys)-1]
	r.mu.RUnlock()
	nonce := make([]byte, k.aead.NonceSize(), k.aead.NonceSize()+len(value)+k.aead.Overhead())
	rand.Read(nonce) // at random: a key seals far fewer values than would make two alike
	return k.ID, k.aead.Seal(nonce, nonce, value, bound(app, name))
}

// Open opens a secret; ErrSealed if that is not possible.
func (r *Ring) Open(s Secret) ([]byte, error) {
	r.mu.RLock()
	i := slices.IndexFunc(r.keys, func(k key) bool { return k.ID == s.Key })
	if i < 0 {
		r.mu.RUnlock()
		return nil, fmt.Errorf("%w: %s of app %s is sealed with key %s, which is not in %s", ErrSealed, s.Name, s.App, s.Key, r.path)
	}
	k := r.keys[i]
	r.mu.RUnlock()
	size := k.aead.NonceSize()
	if len(s.Sealed) < size {
		return nil, fmt.Errorf("%w: %s of app %s is cut off", ErrSealed, s.Name, s.App)
	}
	value, err := k.aead.Open(nil, s.Sealed[:size], s.Sealed[size:], bound(s.App, s.Name))
	if err != nil {
		return nil, fmt.Errorf("%w: %s of app %s is not what was sealed", ErrSealed, s.Name, s.App)
	}
	return value, nil
}

// bound is what is authenticated with a value. No name holds a NUL.
func bound(app, name string) []byte { return []byte("agora secret v1\x00" + app + "\x00" + name) }
