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
	"strings"

	"golang.org/x/sys/cpu"

	"github.com/agora-host/agora/metering/fuel"
)

// cache keeps, for each module and its caps, the rewritten module and its
// machine code. wazero's own files carry only a checksum, so every entry also
// has a MAC under a key that only this node knows: machine code that somebody
// else wrote is never run.
//
//	key                 32 random bytes
//	code/…              wazero's files, one for each rewritten module
//	<entry>/module      the rewritten module
//	<entry>/facts.json  what else is known of it, and which of wazero's files is its code
//	<entry>/mac         HMAC-SHA256 over the entry's name, those two files and that code
//
// A rewritten module that two entries have in common has one file of code, and
// one copy of it in memory.
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
	if err := sweep(dir); err != nil {
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

// sweep removes what a killed compilation left, and everything that another
// version of the engine wrote.
func sweep(dir string) error {
	path := filepath.Join(dir, "version")
	written, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	all, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.Name() != "key" && (string(written) != engineVersion || strings.Contains(e.Name(), ".part-")) {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return writeFile(path, []byte(engineVersion))
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
const engineVersion = "wazero-1.12.0 entry-5"

// cacheKey names an entry. Machine code is made for the processor at hand, whose
// features are in the name: on another one everything is compiled anew.
func cacheKey(module []byte, o fuel.Options) string {
	h := sha256.New()
	sum := sha256.Sum256(module)
	h.Write(sum[:])
	fmt.Fprintf(h, " %s fuel %d %+v on %+v %+v", engineVersion, fuel.Version, o, cpu.X86, cpu.ARM64)
	return hex.EncodeToString(h.Sum(nil))
}

// facts is what a cache entry knows of its module.
type facts struct {
	fuel.Result
	Code string // wazero's file, relative to the cache's code directory
}

func (c *cache) entry(key string) string { return filepath.Join(c.dir, key) }
func (c *cache) codeDir() string         { return filepath.Join(c.dir, "code") }

// begin makes a directory in which the child may write.
func (c *cache) begin(key string) (string, error) {
	dir, err := os.MkdirTemp(c.dir, key+".part-")
	if err != nil {
		return "", err
	}
	return dir, os.Mkdir(filepath.Join(dir, "code"), 0o700)
}

// commit makes of what the child wrote an entry. Until its MAC is there, which
// comes last, it does not count.
func (c *cache) commit(key, dir string, r fuel.Result) error {
	code, err := c.moveCode(filepath.Join(dir, "code"))
	if err != nil {
		return err
	}
	f := facts{Result: r, Code: code}
	f.Module = nil
	raw, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(c.entry(key)); err != nil {
		return err
	}
	if err := os.Rename(dir, c.entry(key)); err != nil {
		return err
	}
	for name, data := range map[string][]byte{"module": r.Module, "facts.json": raw} {
		if err := writeFile(filepath.Join(c.entry(key), name), data); err != nil {
			return err
		}
	}
	machine, err := os.ReadFile(filepath.Join(c.codeDir(), code))
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(c.entry(key), "mac"), c.mac(key, r.Module, raw, machine))
}

// moveCode moves the one file that a child wrote to where the engine reads it,
// and answers its name there.
func (c *cache) moveCode(from string) (string, error) {
	var found []string
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("the compile worker wrote %d files, not one", len(found))
	}
	name, err := filepath.Rel(from, found[0])
	if err != nil {
		return "", err
	}
	to := filepath.Join(c.codeDir(), name)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return "", err
	}
	return name, errors.Join(os.Rename(found[0], to), os.RemoveAll(from))
}

// entryOf is a verified entry.
type entryOf struct {
	facts
	codeSize int64
}

// read answers an entry if it is there and is what this node wrote.
func (c *cache) read(key string) (entryOf, error) {
	mac, err := os.ReadFile(filepath.Join(c.entry(key), "mac"))
	if err != nil {
		return entryOf{}, err
	}
	module, err := os.ReadFile(filepath.Join(c.entry(key), "module"))
	if err != nil {
		return entryOf{}, err
	}
	raw, err := os.ReadFile(filepath.Join(c.entry(key), "facts.json"))
	if err != nil {
		return entryOf{}, err
	}
	var f facts
	if err := json.Unmarshal(raw, &f); err != nil || !filepath.IsLocal(f.Code) {
		return entryOf{}, errTampered
	}
	code, err := os.ReadFile(filepath.Join(c.codeDir(), f.Code))
	if err != nil {
		return entryOf{}, err
	}
	if !hmac.Equal(mac, c.mac(key, module, raw, code)) {
		return entryOf{}, errTampered
	}
	f.Module = module
	return entryOf{facts: f, codeSize: int64(len(code))}, nil
}

func (c *cache) mac(key string, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, c.key)
	fmt.Fprintf(h, "%s\n", key)
	for _, p := range parts {
		fmt.Fprintf(h, "%d\n", len(p))
		h.Write(p)
	}
	return h.Sum(nil)
}
