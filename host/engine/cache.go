package engine

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/cpu"

	"github.com/agora-host/agora/metering/fuel"
)

// cache keeps, for each module without its data (see source) and its caps, the shell and the machine code of
// what they were rewritten to (see shell.go). wazero's own files carry only a checksum, so every entry also
// has a MAC under a key that only this node knows: machine code that a person
// else wrote is never run.
//
//	key      32 random bytes
//	code/…   wazero's files, one for each rewritten module
//	<entry>  32 bytes of HMAC-SHA256 over the entry's name, the facts, and the GMACs
//	         (NIST SP 800-38D) of shell and code, which over megabytes are several times
//	         faster; the length of the facts, u32 little-endian; the facts in JSON; the shell
//	<entry>.lines  for a module with DWARF: HMAC-SHA256 over the name and what follows,
//	         the table of package lines
//
// A rewritten module that two entries have in common has one file of code, and
// one copy of it in memory.
type cache struct {
	dir string
	key []byte
	gcm cipher.AEAD // for GMACs, under a key made of key
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
		return c, c.useKey(key)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	// A lost key only means that everything is compiled again.
	key = make([]byte, 32)
	rand.Read(key)
	return c, errors.Join(c.useKey(key), writeFile(path, key))
}

func (c *cache) useKey(key []byte) error {
	c.key = key
	forCode, err := hkdf.Key(sha256.New, key, nil, "agora compiled code", 32)
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(forCode)
	if err != nil {
		return err
	}
	c.gcm, err = cipher.NewGCM(block)
	return err
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
const engineVersion = "wazero-1.12.0 entry-15"

// cacheKey names an entry, by the digest of what its code is compiled from. Machine code is made for
// the processor at hand, whose features are in the name: on another one everything is compiled anew.
func cacheKey(digest [sha256.Size]byte, o fuel.Options) string {
	h := sha256.New()
	h.Write(digest[:])
	fmt.Fprintf(h, " %s fuel %+v on %s", engineVersion, o, processor())
	return hex.EncodeToString(h.Sum(nil))
}

var processor = sync.OnceValue(func() string { return fmt.Sprintf("%+v %+v", cpu.X86, cpu.ARM64) })

// facts is what a cache entry knows of what its code is compiled from.
type facts struct {
	fuel.Result
	Code  string // wazero's file, relative to the cache's code directory
	Nonce []byte // of the GMACs, random
	Lines bool   // there is a table of lines
	// Imports are the modules that the author's imports functions from.
	Imports []string
	Types   int // function types, before what the rewriting adds
}

const (
	macSize   = sha256.Size
	nonceSize = 8 // a GMAC's own has a counter behind it
)

func (c *cache) entry(key string) string { return filepath.Join(c.dir, key) }
func (c *cache) codeDir() string         { return filepath.Join(c.dir, "code") }

// begin makes a directory in which the child may write.
func (c *cache) begin(key string) (string, error) { return os.MkdirTemp(c.dir, key+".part-") }

// commit makes an entry of a shell and of what the child wrote, and answered: a
// table of lines, or nil. f is completed.
func (c *cache) commit(key string, j job, f facts, table []byte) (err error) {
	if table != nil {
		if err := writeFile(c.entry(key)+linesSuffix, append(c.linesMAC(key, table), table...)); err != nil {
			return err
		}
	}
	if f.Code, err = c.moveCode(j.dir); err != nil {
		return err
	}
	f.Nonce, f.Module = make([]byte, nonceSize), nil
	rand.Read(f.Nonce)
	raw, err := json.Marshal(f)
	if err != nil {
		return err
	}
	sum, _, err := c.mac(key, raw, j.shell, f)
	if err != nil {
		return err
	}
	entry := binary.LittleEndian.AppendUint32(sum, uint32(len(raw)))
	return writeFile(c.entry(key), append(append(entry, raw...), j.shell...))
}

// remove forgets an entry, and the machine code that it names: for another module that shares it, or
// another entry that names the same, it is made anew when it is next needed.
func (c *cache) remove(key string) error {
	var errs []error
	paths := []string{c.entry(key), c.entry(key) + linesSuffix}
	if e, err := c.read(key); err == nil {
		paths = append(paths, filepath.Join(c.codeDir(), e.Code))
	}
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// moveCode moves the one file that a child wrote to where the engine reads it,
// and returns its name there.
func (c *cache) moveCode(from string) (string, error) {
	found, err := onlyFile(from)
	if err != nil {
		return "", err
	}
	name, err := filepath.Rel(from, found)
	if err != nil {
		return "", err
	}
	to := filepath.Join(c.codeDir(), name)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return "", err
	}
	return name, errors.Join(os.Rename(found, to), os.RemoveAll(from))
}

// entry is a verified entry.
type entry struct {
	facts    // without the module
	shell    []byte
	codeSize int64
}

// read returns an entry if it is there and is what this node wrote.
func (c *cache) read(key string) (entry, error) {
	b, err := os.ReadFile(c.entry(key))
	if err != nil {
		return entry{}, err
	}
	if len(b) < macSize+4 {
		return entry{}, errTampered
	}
	size, rest := uint64(binary.LittleEndian.Uint32(b[macSize:])), b[macSize+4:]
	if size > uint64(len(rest)) {
		return entry{}, errTampered
	}
	var e entry
	raw, shell := rest[:size], rest[size:]
	if err := json.Unmarshal(raw, &e.facts); err != nil || !filepath.IsLocal(e.Code) || len(e.Nonce) != nonceSize {
		return entry{}, errTampered
	}
	sum, codeSize, err := c.mac(key, raw, shell, e.facts)
	if err != nil {
		return entry{}, err
	}
	if !hmac.Equal(b[:macSize], sum) {
		return entry{}, errTampered
	}
	e.shell, e.codeSize = shell, codeSize
	return e, nil
}

// mac covers an entry: its facts, its shell, and the file of code that they name.
func (c *cache) mac(key string, raw, shell []byte, f facts) (sum []byte, codeSize int64, err error) {
	code, err := os.Open(filepath.Join(c.codeDir(), f.Code))
	if err != nil {
		return nil, 0, err
	}
	defer code.Close()
	h := hmac.New(sha256.New, c.key)
	fmt.Fprintf(h, "%s\n%d\n", key, len(raw))
	h.Write(raw)
	t := tagger{gcm: c.gcm, into: h}
	copy(t.nonce[:], f.Nonce)
	if _, err := t.add(bytes.NewReader(shell)); err != nil {
		return nil, 0, err
	}
	codeSize, err = t.add(code)
	return h.Sum(nil), codeSize, err
}

// tagger feeds a hash with the GMACs of what it reads, piece by piece: a piece is still
// in the processor's cache when its tag is made, and nothing large is allocated. Tags
// are never shown, so that little depends on the nonce.
type tagger struct {
	gcm   cipher.AEAD
	into  io.Writer
	nonce [12]byte // random, then how many there were
	count uint32
}

const pieceSize = 128 << 10

var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}

// add returns how many bytes there were.
func (t *tagger) add(r io.Reader) (size int64, err error) {
	piece := pieces.Get().(*[pieceSize]byte)
	defer pieces.Put(piece)
	var tag [16]byte
	for err == nil {
		var n int
		if n, err = io.ReadFull(r, piece[:]); n > 0 {
			t.count++
			binary.LittleEndian.PutUint32(t.nonce[nonceSize:], t.count)
			_, _ = t.into.Write(t.gcm.Seal(tag[:0], t.nonce[:], nil, piece[:n])) // a hash takes all
			size += int64(n)
		}
	}
	_, _ = fmt.Fprintf(t.into, "\n%d\n", size)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return size, err
}

const linesSuffix = ".lines"

// lines reads a table of lines.
func (c *cache) lines(key string) ([]byte, error) {
	b, err := os.ReadFile(c.entry(key) + linesSuffix)
	if err != nil {
		return nil, err
	}
	if len(b) < macSize || !hmac.Equal(b[:macSize], c.linesMAC(key, b[macSize:])) {
		return nil, errTampered
	}
	return b[macSize:], nil
}

func (c *cache) linesMAC(key string, table []byte) []byte {
	h := hmac.New(sha256.New, c.key)
	fmt.Fprintf(h, "%s%s\n", key, linesSuffix) // no entry is named so
	h.Write(table)
	return h.Sum(nil)
}
