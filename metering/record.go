package metering

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"time"
)

// The journal is a sequence of records after a header:
//
//	header  "AGJ2", epoch u64 LE, CRC-32C of the twelve bytes before, u32 LE
//	record  payload length u32 LE, CRC-32C of the payload u32 LE, payload
//	payload uvarints: time (Unix microseconds), release, instructions, guest_us,
//	        host_us (not in "AGJ1", which is read too), memory_kib_ms, bytes_in, bytes_out; then app, tier, cost center,
//	        team and fault, each a uvarint length and its bytes
const (
	journalMagic  = "AGJ2"
	journalMagic1 = "AGJ1"
	headerSize    = 16
	recordPrefix  = 8
	maxRecord     = 4 << 10
	maxRecordText = 512
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errTorn: the journal ends within a record, as a killed process leaves it.
// errDamaged: bytes that were written once are no longer what they were.
var (
	errTorn    = errors.New("the journal ends within a record")
	errDamaged = errors.New("the journal is damaged")
)

func appendHeader(dst []byte, epoch uint64) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint64(append(dst, journalMagic...), epoch)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// readHeader answers the epoch, and whether records have all fields.
func readHeader(r io.Reader) (epoch uint64, full bool, err error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, false, errTorn // killed while the file was being made: nothing is in it
	}
	full = string(h[:4]) == journalMagic
	if (!full && string(h[:4]) != journalMagic1) || crc32.Checksum(h[:12], castagnoli) != binary.LittleEndian.Uint32(h[12:]) {
		return 0, false, fmt.Errorf("%w: this is no journal's header", errDamaged)
	}
	return binary.LittleEndian.Uint64(h[4:]), full, nil
}

// appendRecord appends one invocation's record to dst.
func appendRecord(dst []byte, v *Invocation) ([]byte, error) {
	start := len(dst)
	dst = append(dst, make([]byte, recordPrefix)...)
	for _, n := range []uint64{
		uint64(max(0, v.At.UnixMicro())), uint64(max(0, v.Release)),
		v.Instructions, v.GuestMicros, v.HostMicros, v.MemoryKiBMS, v.BytesIn, v.BytesOut,
	} {
		dst = binary.AppendUvarint(dst, n)
	}
	for _, s := range []string{v.App, v.Tier, v.CostCenter, v.Team, v.Fault} {
		if len(s) > maxRecordText {
			return dst[:start], fmt.Errorf("a text of %d bytes does not fit into a record", len(s))
		}
		dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...)
	}
	payload := dst[start+recordPrefix:]
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(dst[start+4:], crc32.Checksum(payload, castagnoli))
	return dst, nil
}

// readRecord reads the next record: io.EOF at a clean end, errTorn or errDamaged
// at one that is not.
func readRecord(r *bufio.Reader, buf []byte, full bool) (Invocation, error) {
	var prefix [recordPrefix]byte
	n, err := io.ReadFull(r, prefix[:])
	if err != nil {
		if n == 0 && errors.Is(err, io.EOF) {
			return Invocation{}, io.EOF
		}
		return Invocation{}, errTorn
	}
	size := binary.LittleEndian.Uint32(prefix[:])
	if size > maxRecord {
		return Invocation{}, fmt.Errorf("%w: a record of %d bytes", errDamaged, size)
	}
	payload := buf[:size]
	if _, err := io.ReadFull(r, payload); err != nil {
		return Invocation{}, errTorn
	}
	if crc32.Checksum(payload, castagnoli) != binary.LittleEndian.Uint32(prefix[4:]) {
		return Invocation{}, fmt.Errorf("%w: a record does not match its checksum", errDamaged)
	}
	return decodeRecord(payload, full)
}

func decodeRecord(b []byte, full bool) (Invocation, error) {
	var v Invocation
	var at, release uint64
	numbers := []*uint64{&at, &release, &v.Instructions, &v.GuestMicros, &v.HostMicros, &v.MemoryKiBMS, &v.BytesIn, &v.BytesOut}
	if !full {
		numbers = slices.Delete(numbers, 4, 5)
	}
	for _, n := range numbers {
		value, size := binary.Uvarint(b)
		if size <= 0 {
			return v, fmt.Errorf("%w: a number is missing", errDamaged)
		}
		*n, b = value, b[size:]
	}
	if at > 1<<62 || release > 1<<31-1 {
		return v, fmt.Errorf("%w: a number is out of range", errDamaged)
	}
	v.At, v.Release = time.UnixMicro(int64(at)).UTC(), int(release)
	for _, s := range []*string{&v.App, &v.Tier, &v.CostCenter, &v.Team, &v.Fault} {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > maxRecordText || n > uint64(len(b)-size) {
			return v, fmt.Errorf("%w: a text is missing", errDamaged)
		}
		*s, b = string(b[size:size+int(n)]), b[size+int(n):]
	}
	if len(b) > 0 {
		return v, fmt.Errorf("%w: a record has %d bytes too many", errDamaged, len(b))
	}
	return v, nil
}

// replay adds every whole record of a journal to cells. It answers what it read
// before the first byte that is not right, together with the error for it.
func replay(r io.Reader) (epoch uint64, cells cells, err error) {
	cells = newCells()
	br := bufio.NewReaderSize(r, 64<<10)
	epoch, full, err := readHeader(br)
	if err != nil {
		return 0, cells, err
	}
	buf := make([]byte, maxRecord)
	for {
		v, err := readRecord(br, buf, full)
		if errors.Is(err, io.EOF) {
			return epoch, cells, nil
		}
		if err != nil {
			return epoch, cells, err
		}
		cells.add(&v)
	}
}
