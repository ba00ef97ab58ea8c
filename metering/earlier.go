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

// Journals as they were written before records had numbers, ids and a node. They
// are read, and counted under no node:
//
//	header  "AGJ2", epoch u64 LE, CRC-32C of the twelve bytes before, u32 LE
//	record  payload length u32 LE, CRC-32C of the payload u32 LE, payload
//	payload uvarints: time (Unix microseconds), release, instructions, guest_us,
//	        host_us (not in "AGJ1"), memory_kib_ms, bytes_in, bytes_out; then app, tier,
//	        cost center, team and fault, each a uvarint length and its bytes
const (
	earlierMagic1     = "AGJ1"
	earlierMagic2     = "AGJ2"
	earlierHeaderSize = 16
	earlierPrefix     = 8
	earlierMaxRecord  = 4 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errTorn: the journal ends within a record, as a killed process leaves it.
var errTorn = errors.New("the journal ends within a record")

func isEarlier(r *bufio.Reader) bool {
	b, _ := r.Peek(4)
	return string(b) == earlierMagic1 || string(b) == earlierMagic2
}

// replayEarlier adds every whole record of such a journal to cells. It answers
// what it read before the first byte that is not right, with the error for it.
func replayEarlier(r *bufio.Reader) (epoch uint64, all cells, err error) {
	all = newCells()
	var h [earlierHeaderSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, all, errTorn
	}
	if crc32.Checksum(h[:12], castagnoli) != binary.LittleEndian.Uint32(h[12:]) {
		return 0, all, fmt.Errorf("%w: this is no journal's header", errDamaged)
	}
	epoch = binary.LittleEndian.Uint64(h[4:])
	d, buf := newDecoder(), make([]byte, earlierMaxRecord)
	for {
		payload, err := readEarlier(r, buf)
		if errors.Is(err, io.EOF) {
			return epoch, all, nil
		}
		if err != nil {
			return epoch, all, err
		}
		at, v, err := d.decodeEarlier(payload, string(h[:4]) == earlierMagic2)
		if err != nil {
			return epoch, all, err
		}
		all.at(hourOf(at), &v.Tags).add(at, 1, &v)
	}
}

// readEarlier reads the next record: io.EOF at a clean end, errTorn or errDamaged
// at one that is not.
func readEarlier(r *bufio.Reader, buf []byte) ([]byte, error) {
	var prefix [earlierPrefix]byte
	n, err := io.ReadFull(r, prefix[:])
	if err != nil {
		if n == 0 && errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, errTorn
	}
	size := binary.LittleEndian.Uint32(prefix[:])
	if size > earlierMaxRecord {
		return nil, fmt.Errorf("%w: a record of %d bytes", errDamaged, size)
	}
	payload := buf[:size]
	if _, err := io.ReadFull(r, payload); err != nil {
		return nil, errTorn
	}
	if crc32.Checksum(payload, castagnoli) != binary.LittleEndian.Uint32(prefix[4:]) {
		return nil, fmt.Errorf("%w: a record does not match its checksum", errDamaged)
	}
	return payload, nil
}

func (d *decoder) decodeEarlier(payload []byte, hostTime bool) (at time.Time, v Invocation, err error) {
	d.begin(payload)
	micros, release := d.number(), d.number()
	all := v.all()
	counts := all[:]
	if !hostTime {
		counts = slices.Delete(counts, 2, 3)
	}
	for _, n := range counts {
		*n = d.number()
	}
	for _, s := range [...]*string{&v.App, &v.Tier, &v.CostCenter, &v.Team, &v.Fault} {
		*s = d.text()
	}
	if d.err == nil && (micros > 1<<53 || release > 1<<31-1 || d.left() > 0) {
		d.err = fmt.Errorf("%w: a record is not one", errDamaged)
	}
	v.Release = int(release)
	return time.UnixMicro(int64(micros)).UTC(), v, d.err
}
