package crashdisk

import (
	"cmp"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
)

const (
	pageSize = 4096
	sector   = 512
)

// page is never changed once it is made. nil is a page of zeros.
type page *[pageSize]byte

// File is what a file has, under whatever names.
type File struct {
	pages []page // as a process sees them
	size  int64

	stable     []page // as they are after the loss of power, at least
	stableSize int64
	dirty      map[int][]version // pages by number, oldest first
	sizes      []length          // oldest first

	ended uint64 // operations
	begun int
}

type version struct {
	op   *Op
	page page
}

type length struct {
	op   *Op
	size int64
}

// Op is a write or a truncation. It has effect at once; a sync that began before
// it ended does not cover it.
type Op struct {
	f     *File
	n     int    // which of the file's
	ended uint64 // which of the file's ended operations; 0: it has not
}

// NewFile makes a file that is on the disk as it is.
func NewFile(data []byte) *File {
	f := &File{dirty: map[int][]version{}}
	f.WriteAt(data, 0).End()
	f.EndSync(f.BeginSync())
	return f
}

// End says that an operation has returned.
func (o *Op) End() {
	o.f.ended++
	o.ended = o.f.ended
}

func (f *File) begin() *Op {
	f.begun++
	return &Op{f: f, n: f.begun}
}

// Size is the length that a process sees, in bytes.
func (f *File) Size() int64 { return f.size }

// Bytes are what a process sees.
func (f *File) Bytes() []byte {
	b := make([]byte, f.size)
	for i, p := range f.pages {
		if p != nil {
			copy(b[min(i*pageSize, len(b)):], p[:])
		}
	}
	return b
}

// CopyTo writes what a process sees, without the pages of zeros, to a file of
// that length.
func (f *File) CopyTo(w io.WriterAt) error {
	for i, p := range f.pages {
		at := int64(i) * pageSize
		if p == nil || at >= f.size {
			continue
		}
		if _, err := w.WriteAt(p[:min(pageSize, f.size-at)], at); err != nil {
			return err
		}
	}
	return nil
}

// WriteAt writes data at an offset.
func (f *File) WriteAt(data []byte, at int64) *Op {
	op := f.begin()
	for done := int64(0); done < int64(len(data)); {
		n, from := int((at+done)/pageSize), (at+done)%pageSize
		var p [pageSize]byte
		if n < len(f.pages) && f.pages[n] != nil {
			p = *f.pages[n]
		}
		done += int64(copy(p[from:], data[done:]))
		f.set(op, n, &p)
	}
	if end := at + int64(len(data)); end > f.size && len(data) > 0 {
		f.resize(op, end)
	}
	return op
}

// Truncate changes the length. What is cut off is zeros should the file grow again.
func (f *File) Truncate(size int64) *Op {
	op := f.begin()
	for n := range f.pages {
		keep := size - int64(n)*pageSize
		if f.pages[n] == nil || keep >= pageSize {
			continue
		}
		var p page
		if keep > 0 {
			p = new([pageSize]byte)
			copy(p[:keep], f.pages[n][:])
		}
		f.set(op, n, p)
	}
	f.resize(op, size)
	return op
}

func (f *File) set(op *Op, n int, p page) {
	f.pages = put(f.pages, n, p)
	f.dirty[n] = append(f.dirty[n], version{op, p})
}

func put(pages []page, n int, p page) []page {
	for len(pages) <= n {
		pages = append(pages, nil)
	}
	pages[n] = p
	return pages
}

func (f *File) resize(op *Op, size int64) {
	if size != f.size {
		f.size = size
		f.sizes = append(f.sizes, length{op, size})
	}
}

// BeginSync returns what EndSync takes once the sync has succeeded.
func (f *File) BeginSync() (covered uint64) { return f.ended }

// EndSync makes durable what had ended when the sync began.
func (f *File) EndSync(covered uint64) {
	covers := func(op *Op) bool { return op.ended > 0 && op.ended <= covered }
	for n, versions := range f.dirty {
		k := 0
		for k < len(versions) && covers(versions[k].op) {
			k++
		}
		if k > 0 {
			f.stable = put(f.stable, n, versions[k-1].page)
		}
		if f.dirty[n] = versions[k:]; k == len(versions) {
			delete(f.dirty, n)
		}
	}
	for len(f.sizes) > 0 && covers(f.sizes[0].op) {
		f.stableSize, f.sizes = f.sizes[0].size, f.sizes[1:]
	}
}

// FailSync is a sync that failed: a kernel takes pages for clean whose writing
// failed, so that no later sync writes them. Some of them are on the disk.
func (f *File) FailSync(r *rand.Rand) {
	left := f.afterPowerLoss(r)
	left.begun, left.ended = f.begun, f.ended
	*f = *left
}

// afterPowerLoss is the file as it may be then. There is more than one way to
// choose, since one that decides about every sector by itself would hardly ever
// lose a single page, or keep all but the last write.
func (f *File) afterPowerLoss(r *rand.Rand) *File {
	left := &File{pages: slices.Clone(f.stable), size: f.stableSize, dirty: map[int][]version{}}
	sizes := append([]length{{&Op{}, f.stableSize}}, f.sizes...)
	numbers := slices.Sorted(maps.Keys(f.dirty)) // so that the seed alone decides
	until := f.begun                             // the last operation that is there
	var lost int                                 // the page that is not
	way := r.IntN(6)
	switch way {
	case 0: // all of it is there
	case 1: // nothing is
		until = 0
	case 2: // what was written until some moment
		if n := f.oldest(); n > 0 {
			until = n - 1 + r.IntN(f.begun-n+2)
		}
	case 3: // all but one page
		if len(numbers) > 0 {
			lost = numbers[r.IntN(len(numbers))]
		}
	default:
		left.size = sizes[r.IntN(len(sizes))].size
	}
	if way < 4 {
		n, _ := slices.BinarySearchFunc(sizes, until+1, func(l length, n int) int { return cmp.Compare(l.op.n, n) })
		left.size = sizes[n-1].size
	}
	for _, n := range numbers {
		choices := append([]version{{&Op{}, at(f.stable, n)}}, f.dirty[n]...)
		last, _ := slices.BinarySearchFunc(choices, until+1, func(v version, n int) int { return cmp.Compare(v.op.n, n) })
		switch {
		case way == 3 && n == lost:
			left.pages = put(left.pages, n, choices[0].page)
		case way < 4:
			left.pages = put(left.pages, n, choices[last-1].page)
		case way == 4:
			left.pages = put(left.pages, n, choices[r.IntN(len(choices))].page)
		default:
			left.pages = put(left.pages, n, torn(r, choices))
		}
	}
	left.cut()
	left.stable, left.stableSize = slices.Clone(left.pages), left.size
	return left
}

// oldest is the first operation that is not synced, or 0.
func (f *File) oldest() int {
	oldest := 0
	see := func(n int) {
		if oldest == 0 || n < oldest {
			oldest = n
		}
	}
	for _, versions := range f.dirty {
		see(versions[0].op.n)
	}
	if len(f.sizes) > 0 {
		see(f.sizes[0].op.n)
	}
	return oldest
}

// cut takes away what is behind the end: it is not there when the file grows.
func (f *File) cut() {
	whole := int(f.size / pageSize)
	if rest := f.size % pageSize; rest > 0 {
		if p := at(f.pages, whole); p != nil {
			var short [pageSize]byte
			copy(short[:rest], p[:])
			f.pages[whole] = &short
		}
		whole++
	}
	f.pages = f.pages[:min(whole, len(f.pages))]
}

func at(pages []page, n int) page {
	if n < len(pages) {
		return pages[n]
	}
	return nil
}

// torn has each sector as it was at a moment of its own.
func torn(r *rand.Rand, choices []version) page {
	var p [pageSize]byte
	for from := 0; from < pageSize; from += sector {
		if c := choices[r.IntN(len(choices))].page; c != nil {
			copy(p[from:from+sector], c[from:from+sector])
		}
	}
	return &p
}
