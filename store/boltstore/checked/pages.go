package checked

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// The layout of a bbolt file, version 2 (go.etcd.io/bbolt/internal/common), in
// the byte order of every machine that we ship for:
//
//	page    id u64, kind u16, count u16, overflow u32, then count elements of 16 bytes, then what they point to
//	meta    pages 0 and 1: magic u32, version u32, page size u32, flags u32, root u64, sequence u64,
//	        freelist u64, end u64 (the first page that was never used), txid u64, FNV-64a of all before
//	branch  elements: offset u32, key size u32, child u64; keys are the first that the child may have
//	leaf    elements: flags u32, offset u32, key size u32, value size u32; offsets count from the element
//	bucket  a leaf's value whose flag is 1: root u64, sequence u64; root 0 means that one page follows in place
//	free    ids of pages, u64, in order; count 0xffff means that the first of them is the count
const (
	pageHeader = 16
	element    = 16

	kindBranch = 0x01
	kindLeaf   = 0x02
	kindMeta   = 0x04
	kindFree   = 0x10

	metaMagic   = 0xED0CDAED
	metaVersion = 2
	metaSize    = 64

	// maxRun bounds what one page with its overflow may take in memory; the
	// largest that we write is a list of free pages.
	maxRun   = 64 << 20
	maxDepth = 32
)

var le = binary.LittleEndian

// meta is one of the two roots of a file.
type meta struct {
	pageSize             int64
	root, free, end, txn uint64
}

// readMeta reads and checks the root in page n.
func readMeta(r io.ReaderAt, n, pageSize int64) (meta, error) {
	b := make([]byte, pageHeader+metaSize)
	if _, err := r.ReadAt(b, n*pageSize); err != nil {
		return meta{}, fmt.Errorf("cannot be read: %w", err)
	}
	sum := fnv.New64a()
	sum.Write(b[pageHeader : pageHeader+metaSize-8])
	m := b[pageHeader:]
	switch {
	case le.Uint32(m) != metaMagic || le.Uint32(m[4:]) != metaVersion:
		return meta{}, errors.New("is not the root of a store")
	case sum.Sum64() != le.Uint64(m[56:]):
		return meta{}, errors.New("does not match its checksum")
	case le.Uint64(b) != uint64(n) || le.Uint16(b[8:]) != kindMeta:
		return meta{}, errors.New("is labelled as another page")
	}
	found := meta{int64(le.Uint32(m[8:])), le.Uint64(m[16:]), le.Uint64(m[32:]), le.Uint64(m[40:]), le.Uint64(m[48:])}
	if s := found.pageSize; s < 1<<9 || s > 1<<16 || s&(s-1) != 0 {
		return meta{}, errors.New("has an impossible page size")
	}
	return found, nil
}

// readMetas returns both roots, older first. Every commit writes one of them,
// within a disk's sector: both are whole, also after a loss of power. If one is
// not, the last transaction may be gone.
func readMetas(r io.ReaderAt) (older, newer meta, err error) {
	first, err := readMeta(r, 0, 0)
	if err != nil {
		return older, newer, fmt.Errorf("page 0 %w: the last change may be lost", err)
	}
	second, err := readMeta(r, 1, first.pageSize)
	if err != nil {
		return older, newer, fmt.Errorf("page 1 %w: the last change may be lost", err)
	}
	if first.txn > second.txn {
		first, second = second, first
	}
	if second.txn == first.txn || second.pageSize != first.pageSize {
		return older, newer, errors.New("the two roots are not of one file")
	}
	return first, second, nil
}

// walker reads every page of a file that a root leads to, with bounds on
// everything and trust in nothing: bbolt itself reads a damaged page beyond its
// end, for ever, or not at all, and dies of it.
//
// When it has reported nothing, each record that it visited is found by bbolt
// under its key, and no page is both used and free.
type walker struct {
	r     io.ReaderAt
	meta  meta
	seen  []uint64 // bits of pages that something leads to
	sound bool     // nothing was reported
	// damaged is told what is wrong with a page of a bucket ("" for the root),
	// and between which keys records are lost for it.
	damaged func(bucket string, id uint64, lo, hi []byte, what string)
	record  func(bucket string, key, value []byte)
	bucket  func(name string)
}

// walk reads everything below a root, in a file of size bytes.
func (w *walker) walk(m meta, size int64) {
	w.meta, w.sound = m, true
	if m.end < 4 || m.end > uint64(size/m.pageSize) {
		w.report("", 0, nil, nil, fmt.Sprintf("the file ends too early: it has %d bytes, and should have %d", size, int64(min(m.end, 1<<40))*m.pageSize))
		return
	}
	w.seen = make([]uint64, (m.end+63)/64)
	w.mark(0)
	w.mark(1)
	w.tree("", m.root, nil, nil, 0)
	w.freelist()
	if !w.sound {
		return // what a damaged page led to is missing: counting it says nothing new
	}
	for id := range m.end {
		if w.seen[id/64]&(1<<(id%64)) == 0 {
			w.report("", id, nil, nil, "is neither used nor free")
		}
	}
}

func (w *walker) report(bucket string, id uint64, lo, hi []byte, what string) {
	w.sound = false
	w.damaged(bucket, id, lo, hi, what)
}

// mark reports whether the page was new.
func (w *walker) mark(id uint64) bool {
	word, bit := &w.seen[id/64], uint64(1)<<(id%64)
	was := *word&bit != 0
	*word |= bit
	return !was
}

// page reads a page with its overflow, marks all of it, and checks its head.
func (w *walker) page(id uint64) (b []byte, err error) {
	if id < 2 || id >= w.meta.end {
		return nil, errors.New("does not exist")
	}
	if !w.mark(id) {
		return nil, errors.New("is used twice")
	}
	b = make([]byte, w.meta.pageSize)
	if _, err := w.r.ReadAt(b, int64(id)*w.meta.pageSize); err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if le.Uint64(b) != id {
		return nil, errors.New("is labelled as another page")
	}
	more := uint64(le.Uint32(b[12:]))
	if more == 0 {
		return b, nil
	}
	if more >= w.meta.end-id || int64(more+1)*w.meta.pageSize > maxRun {
		return nil, errors.New("is longer than the file")
	}
	for next := id + 1; next <= id+more; next++ {
		if !w.mark(next) {
			return nil, errors.New("runs into another page")
		}
	}
	b = append(b, make([]byte, int64(more)*w.meta.pageSize)...)
	if _, err := w.r.ReadAt(b[w.meta.pageSize:], int64(id+1)*w.meta.pageSize); err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	return b, nil
}

// tree reads a bucket's page and those below it, whose keys must be lo or more
// and less than hi; nil means no bound.
func (w *walker) tree(bucket string, id uint64, lo, hi []byte, depth int) {
	b, err := w.page(id)
	if err != nil {
		w.report(bucket, id, lo, hi, err.Error())
		return
	}
	switch kind := le.Uint16(b[8:]); {
	case kind == kindLeaf:
		if err := w.leaf(bucket, b, lo, hi); err != nil {
			w.report(bucket, id, lo, hi, err.Error())
		}
	case kind == kindBranch && depth < maxDepth:
		w.branch(bucket, id, b, lo, hi, depth)
	default:
		w.report(bucket, id, lo, hi, fmt.Sprintf("is of no kind that belongs here (%#x)", kind))
	}
}

func (w *walker) branch(bucket string, id uint64, b []byte, lo, hi []byte, depth int) {
	keys := make([][]byte, le.Uint16(b[10:]), int(le.Uint16(b[10:]))+1)
	for i := range keys {
		var err error
		if keys[i], _, err = item(b, i, false); err != nil {
			w.report(bucket, id, lo, hi, err.Error())
			return
		}
	}
	if err := ascending(keys, lo, hi); err != nil || len(keys) == 0 {
		w.report(bucket, id, lo, hi, "its keys are not in order")
		return
	}
	keys = append(keys, hi)
	for i := range keys[:len(keys)-1] {
		w.tree(bucket, le.Uint64(b[pageHeader+i*element+8:]), keys[i], keys[i+1], depth+1)
	}
}

// leaf visits the records of a page; those of the root are buckets.
func (w *walker) leaf(bucket string, b []byte, lo, hi []byte) error {
	var last []byte
	for i := range int(le.Uint16(b[10:])) {
		key, value, err := item(b, i, true)
		if err != nil {
			return err
		}
		if (i > 0 && bytes.Compare(last, key) >= 0) || bytes.Compare(key, lo) < 0 || (hi != nil && bytes.Compare(key, hi) >= 0) {
			return errors.New("its keys are not in order")
		}
		last = key
		switch flags := le.Uint32(b[pageHeader+i*element:]); {
		case flags == 0 && bucket != "":
			w.record(bucket, key, value)
		case flags == 1 && bucket == "":
			w.bucket(string(key))
			if err := w.openBucket(string(key), value); err != nil {
				return err
			}
		default:
			return fmt.Errorf("element %d is no record", i)
		}
	}
	return nil
}

// openBucket reads what a bucket's entry in the root leads to.
func (w *walker) openBucket(name string, value []byte) error {
	if len(value) < 16 {
		return fmt.Errorf("the entry of bucket %q is cut off", name)
	}
	if root := le.Uint64(value); root != 0 {
		w.tree(name, root, nil, nil, 0)
		return nil
	}
	inline := value[16:]
	if len(inline) < pageHeader || le.Uint64(inline) != 0 || le.Uint16(inline[8:]) != kindLeaf || le.Uint32(inline[12:]) != 0 {
		return fmt.Errorf("the page of bucket %q is malformed", name)
	}
	if err := w.leaf(name, inline, nil, nil); err != nil {
		return fmt.Errorf("bucket %q: %w", name, err)
	}
	return nil
}

// item returns key and value of element i, which lie within the page.
func item(b []byte, i int, leaf bool) (key, value []byte, err error) {
	count := uint64(le.Uint16(b[10:]))
	start := uint64(pageHeader + i*element)
	if pageHeader+count*element > uint64(len(b)) {
		return nil, nil, errors.New("counts more elements than it has room for")
	}
	e := b[start:]
	at, ksize, vsize := uint64(le.Uint32(e)), uint64(le.Uint32(e[4:])), uint64(0)
	if leaf {
		at, ksize, vsize = uint64(le.Uint32(e[4:])), uint64(le.Uint32(e[8:])), uint64(le.Uint32(e[12:]))
	}
	at += start
	if at < pageHeader+count*element || ksize == 0 || at+ksize+vsize > uint64(len(b)) {
		return nil, nil, fmt.Errorf("element %d reaches beyond it", i)
	}
	return b[at : at+ksize], b[at+ksize : at+ksize+vsize], nil
}

func ascending(keys [][]byte, lo, hi []byte) error {
	for i, k := range keys {
		if (i > 0 && bytes.Compare(keys[i-1], k) >= 0) || bytes.Compare(k, lo) < 0 || (hi != nil && bytes.Compare(k, hi) >= 0) {
			return errors.New("its keys are not in order")
		}
	}
	return nil
}

// freelist marks the pages that may be written over, which nothing may lead to.
func (w *walker) freelist() {
	b, err := w.page(w.meta.free)
	if err == nil && le.Uint16(b[8:]) != kindFree {
		err = errors.New("is no list of free pages")
	}
	if err != nil {
		w.report("", w.meta.free, nil, nil, err.Error())
		return
	}
	ids, count := b[pageHeader:], uint64(le.Uint16(b[10:]))
	if count == 0xffff {
		count, ids = le.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids))/8 {
		w.report("", w.meta.free, nil, nil, "counts more free pages than it lists")
		return
	}
	for i := range count {
		if id := le.Uint64(ids[8*i:]); id < 2 || id >= w.meta.end || !w.mark(id) {
			w.report("", w.meta.free, nil, nil, fmt.Sprintf("lists page %d as free, which it is not", id))
		}
	}
}
