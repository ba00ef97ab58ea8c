package engine

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/agora-host/agora/metering/fuel"
)

// cache keeps, for each module and its caps, the rewritten module and its
// machine code. wazero's own files carry only a checksum, so every entry also
// has a MAC under a key that only this node knows: machine code that somebody
// else wrote is never run.
//
//	key               32 random bytes
//	<entry>/module    the rewritten module
//	<entry>/cost      its InitCost, 8 bytes little-endian
//	<entry>/code/…    wazero's files
//	<entry>.mac       HMAC-SHA256 over names and contents of all files in <entry>
type cache struct {
	dir string
	key []byte
}

var errTampered = errors.New("compiled code does not carry this node's MAC")

func openCache(dir string) (*cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, err
	}
	c := &cache{dir: dir}
	path := filepath.Join(dir, "key")
	key, err := os.ReadFile(path)
	if err == nil && len(key) == 32 {
		c.key = key
		return c, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	// A lost key only means that everything is compiled again.
	c.key = make([]byte, 32)
	rand.Read(c.key)
	return c, writeFile(path, c.key)
}

func writeFile(path string, data []byte) error {
	temp := path + ".new"
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// engineVersion names what else decides about machine code, and the form of an
// entry's files.
const engineVersion = "wazero-1.12.0 entry-3"

func cacheKey(module []byte, o fuel.Options) string {
	h := sha256.New()
	sum := sha256.Sum256(module)
	h.Write(sum[:])
	fmt.Fprintf(h, " %s fuel %d %+v", engineVersion, fuel.Version, o)
	return hex.EncodeToString(h.Sum(nil))
}

func (c *cache) entry(key string) string   { return filepath.Join(c.dir, key) }
func (c *cache) codeDir(key string) string { return filepath.Join(c.dir, key, "code") }

// begin makes a directory in which the child may write.
func (c *cache) begin(key string) (string, error) {
	dir, err := os.MkdirTemp(c.dir, key+".part-")
	if err != nil {
		return "", err
	}
	return dir, os.Mkdir(filepath.Join(dir, "code"), 0o700)
}

// commit makes an entry visible: its MAC comes last.
func (c *cache) commit(key, dir string, r fuel.Result) error {
	if err := writeFile(filepath.Join(dir, "module"), r.Module); err != nil {
		return err
	}
	facts := r
	facts.Module = nil
	raw, err := json.Marshal(facts)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "facts.json"), raw); err != nil {
		return err
	}
	for _, stale := range []string{c.entry(key) + ".mac", c.entry(key)} {
		if err := os.RemoveAll(stale); err != nil {
			return err
		}
	}
	if err := os.Rename(dir, c.entry(key)); err != nil {
		return err
	}
	mac, err := c.mac(key)
	if err != nil {
		return err
	}
	return writeFile(c.entry(key)+".mac", mac)
}

// verify tells whether an entry is there and is what this node wrote.
func (c *cache) verify(key string) error {
	stored, err := os.ReadFile(c.entry(key) + ".mac")
	if err != nil {
		return err
	}
	mac, err := c.mac(key)
	if err != nil {
		return err
	}
	if !hmac.Equal(stored, mac) {
		return errTampered
	}
	return nil
}

// mac covers every file of an entry: WalkDir goes in lexical order.
func (c *cache) mac(key string) ([]byte, error) {
	h := hmac.New(sha256.New, c.key)
	fmt.Fprintf(h, "%s\n", key)
	root := c.entry(key)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		rel, err := filepath.Rel(root, path)
		fmt.Fprintf(h, "%q %d %x\n", rel, len(data), sum)
		return err
	})
	return h.Sum(nil), err
}

func (c *cache) read(key string) (fuel.Result, error) {
	module, err := os.ReadFile(filepath.Join(c.entry(key), "module"))
	if err != nil {
		return fuel.Result{}, err
	}
	raw, err := os.ReadFile(filepath.Join(c.entry(key), "facts.json"))
	if err != nil {
		return fuel.Result{}, err
	}
	var r fuel.Result
	if err := json.Unmarshal(raw, &r); err != nil {
		return fuel.Result{}, errTampered
	}
	r.Module = module
	return r, nil
}
