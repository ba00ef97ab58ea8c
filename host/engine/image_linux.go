package engine

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

const mapNoReserve = unix.MAP_NORESERVE

// discard makes anonymous memory zero by giving its pages back.
func discard(b []byte) {
	if unix.Madvise(b, unix.MADV_DONTNEED) != nil {
		clear(b)
	}
}

// pages is the memory of an image, kept as a file in memory. Instances map it
// privately: a page that a request writes to is copied by the kernel, and what was
// copied is found with PAGEMAP_SCAN (Linux 6.7 and later) and copied back.
type pages struct {
	file *os.File
	view []byte // of the file, read-only

	filled int64  // bytes of it that take memory
	full   []bool // by page: it was not zero; the others are holes, which take memory once they are read

	// patched are the places of pages that are not the file's, which is another image's: see like.
	// They are in the view, and each slot has a copy.
	patched []int
}

// maxPatched is how many pages an image may have of its own that shares a file: they are copied
// back after each request, too.
const maxPatched = 16

// like makes an image of a memory that differs from this one in few pages. It returns nil if it
// differs in more.
func (p *pages) like(memory []byte) (*pages, error) {
	if len(memory) != len(p.view) {
		return nil, nil
	}
	var differ []int
	for at := 0; at < len(memory); at += len(zeroPage) {
		page, same := memory[at:at+len(zeroPage)], zeroPage[:]
		if p.full[at/len(zeroPage)] {
			same = p.view[at : at+len(zeroPage)]
		}
		if !bytes.Equal(page, same) {
			if differ = append(differ, at); len(differ) > maxPatched {
				return nil, nil
			}
		}
	}
	fd, err := unix.FcntlInt(p.file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	q := &pages{file: os.NewFile(uintptr(fd), "agora-image"), filled: int64(len(differ) * len(zeroPage)), patched: differ}
	if q.view, err = unix.Mmap(fd, 0, len(memory), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE); err != nil {
		return nil, errors.Join(err, q.file.Close())
	}
	for _, at := range differ {
		copy(q.view[at:at+len(zeroPage)], memory[at:])
	}
	if err := unix.Mprotect(q.view, unix.PROT_READ); err != nil {
		return nil, errors.Join(err, q.close())
	}
	return q, nil
}

// patch writes the pages that are not the file's into a memory that is the file's.
func (p *pages) patch(memory []byte) {
	for _, at := range p.patched {
		copy(memory[at:at+len(zeroPage)], p.view[at:])
	}
}

func newPages(memory []byte) (*pages, error) {
	fd, err := unix.MemfdCreate("agora-image", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	p := &pages{file: os.NewFile(uintptr(fd), "agora-image")}
	if err := p.fill(memory); err != nil {
		return nil, errors.Join(err, p.file.Close())
	}
	return p, nil
}

// fill writes the runs of pages that are not zero: the rest stays a hole.
func (p *pages) fill(memory []byte) (err error) {
	if err := p.file.Truncate(int64(len(memory))); err != nil {
		return err
	}
	p.full = make([]bool, len(memory)/len(zeroPage))
	for at, end := 0, 0; at < len(memory); at = end + len(zeroPage) {
		for end = at; end < len(memory) && !zero(memory[end:end+len(zeroPage)]); {
			p.full[end/len(zeroPage)] = true
			end += len(zeroPage)
		}
		if end > at {
			if _, err := p.file.WriteAt(memory[at:end], int64(at)); err != nil {
				return err
			}
			p.filled += int64(end - at)
		}
	}
	p.view, err = unix.Mmap(int(p.file.Fd()), 0, len(memory), unix.PROT_READ, unix.MAP_SHARED)
	return err
}

func zero(b []byte) bool {
	for part := range slices.Chunk(b, len(zeroPage)) {
		if !bytes.Equal(part, zeroPage[:len(part)]) {
			return false
		}
	}
	return true
}

func (p *pages) close() error {
	return errors.Join(unix.Munmap(p.view), p.file.Close())
}

// adopt puts the image into a slot, in the place of whatever is there.
func (p *pages) adopt(s *slot) error {
	_, err := unix.MmapPtr(int(p.file.Fd()), 0, unsafe.Pointer(&s.space[0]), uintptr(len(p.view)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED)
	if err == nil {
		p.patch(s.space)
	}
	return err
}

// restore puts the image's bytes back wherever a slot's pages were written to.
func (p *pages) restore(s *slot) {
	memory := s.space[:len(p.view)]
	if !copyBack(memory, p.view) {
		// The kernel cannot tell what was written, or it was so much that dropping
		// all is cheaper: every page is read from the image again when it is used.
		if unix.Madvise(memory, unix.MADV_DONTNEED) != nil {
			copy(memory, p.view)
		}
		p.patch(memory)
	}
}

// scanArg is struct pm_scan_arg, and region is struct page_region, of linux/fs.h.
type scanArg struct {
	size, flags, start, end, walkEnd, vec, vecLen, maxPages   uint64
	categoryInverted, categoryMask, categoryAnyof, returnMask uint64
}

type region struct{ start, end, _ uint64 } // the last has its categories

const (
	pagemapScan = 0xc0606610 // _IOWR('f', 16, struct pm_scan_arg)
	pageIsFile  = 1 << 2
	pagePresent = 1 << 3
	pageSwapped = 1 << 4
)

// pagemap is this process's own. It is nil where there is none.
var pagemap = sync.OnceValue(func() *os.File {
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return nil
	}
	return f
})

var regionLists = sync.Pool{New: func() any { return new([256]region) }}

// copyBack finds the pages of a private file mapping that are no longer the
// file's, and copies the file's bytes over them. It returns false if the kernel
// cannot say, or if it is more than a quarter of all.
func copyBack(memory, image []byte) bool {
	f := pagemap()
	if f == nil {
		return false
	}
	list := regionLists.Get().(*[256]region)
	defer regionLists.Put(list)
	base := uint64(uintptr(unsafe.Pointer(&memory[0])))
	copied := 0
	for at, end := base, base+uint64(len(memory)); at < end; {
		arg := scanArg{
			start: at, end: end, vec: uint64(uintptr(unsafe.Pointer(list))), vecLen: uint64(len(list)),
			categoryInverted: pageIsFile, categoryMask: pageIsFile, categoryAnyof: pagePresent | pageSwapped, returnMask: pagePresent,
		}
		arg.size = uint64(unsafe.Sizeof(arg))
		n, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), pagemapScan, uintptr(unsafe.Pointer(&arg)))
		if errno != 0 {
			return false
		}
		for _, r := range list[:n] {
			from, to := r.start-base, r.end-base
			if copied += int(to - from); copied > len(memory)/4 && copied > 1<<20 {
				return false
			}
			copy(memory[from:to], image[from:to])
		}
		if arg.walkEnd <= at {
			return false
		}
		at = arg.walkEnd
	}
	return true
}
