package metering

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/agora-host/agora/abi"
)

// A record's payload in the journal:
//
//	kind u8, uvarint time (Unix microseconds), id, uvarint release, uvarint number of
//	counts and the counts as in Counts, app, tier, cost center, team, owner,
//	environment, trigger, fault, uvarint number of uses, and of each use capability,
//	meter, subject, uvarint n
//
// A text is a uvarint length and its bytes. An id's length has a lowest bit more:
// 1 if the bytes are those that its hexadecimal digits stand for. Counts are
// append-only.
type kind uint8

const (
	kindInvocation kind = 1 // one that ended
	kindCheckpoint kind = 2 // what one that runs amounts to so far
	kindStanding   kind = 3 // usage that no invocation caused
)

const (
	maxRecordText = 512
	maxRecordUses = 256
)

// errDamaged: bytes that were written once are no longer what they were.
var errDamaged = errors.New("the journal is damaged")

func appendRecord(dst []byte, k kind, at time.Time, v *Invocation) ([]byte, error) {
	dst = append(dst, byte(k))
	dst = binary.AppendUvarint(dst, uint64(max(0, at.UnixMicro())))
	dst, err := appendID(dst, v.ID)
	if err != nil {
		return dst, err
	}
	dst = binary.AppendUvarint(dst, uint64(max(0, v.Release)))
	counts := v.all()
	dst = append(dst, byte(len(counts)))
	for _, n := range counts {
		dst = binary.AppendUvarint(dst, *n)
	}
	for _, s := range [...]string{v.App, v.Tier, v.CostCenter, v.Team, v.Owner, v.Environment, v.Trigger, v.Fault} {
		if dst, err = appendText(dst, s); err != nil {
			return dst, err
		}
	}
	if len(v.Uses) > maxRecordUses {
		return dst, fmt.Errorf("%d uses do not fit into a record", len(v.Uses))
	}
	dst = binary.AppendUvarint(dst, uint64(len(v.Uses)))
	for _, u := range v.Uses {
		for _, s := range [...]string{u.Capability, u.Meter, u.Subject} {
			if dst, err = appendText(dst, s); err != nil {
				return dst, err
			}
		}
		dst = binary.AppendUvarint(dst, u.N)
	}
	return dst, nil
}

func appendText(dst []byte, s string) ([]byte, error) {
	if len(s) > maxRecordText {
		return dst, fmt.Errorf("a text of %d bytes does not fit into a record", len(s))
	}
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...), nil
}

func appendID(dst []byte, id string) ([]byte, error) {
	if len(id) > maxRecordText {
		return dst, fmt.Errorf("an id of %d bytes does not fit into a record", len(id))
	}
	start := len(dst)
	dst = binary.AppendUvarint(dst, uint64(len(id)/2)<<1|1)
	if len(id)%2 == 0 {
		ok := true
		for i := 0; i < len(id) && ok; i += 2 {
			var hi, lo byte
			hi, ok = digit(id[i])
			if lo, ok = lowDigit(id[i+1], ok); ok {
				dst = append(dst, hi<<4|lo)
			}
		}
		if ok {
			return dst, nil
		}
	}
	dst = binary.AppendUvarint(dst[:start], uint64(len(id))<<1)
	return append(dst, id...), nil
}

func digit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

func lowDigit(c byte, so bool) (byte, bool) {
	d, ok := digit(c)
	return d, ok && so
}

// decoder reads payloads. It keeps each text once, since most records share
// theirs.
type decoder struct {
	texts map[string]string
	b     []byte
	err   error
}

func newDecoder() *decoder { return &decoder{texts: map[string]string{}} }

// decode answers a record. v.Uses is a new slice; the payload may be reused.
func (d *decoder) decode(payload []byte) (k kind, at time.Time, v Invocation, err error) {
	d.b, d.err = payload, nil
	k = kind(d.u8())
	micros := d.number()
	v.ID = d.id()
	release := d.number()
	counts := v.all()
	n := int(d.u8())
	for i := range n {
		value := d.number()
		if i < len(counts) {
			*counts[i] = value
		}
	}
	for _, s := range [...]*string{&v.App, &v.Tier, &v.CostCenter, &v.Team, &v.Owner, &v.Environment, &v.Trigger, &v.Fault} {
		*s = d.text()
	}
	uses := d.number()
	switch {
	case d.err != nil:
	case k < kindInvocation || k > kindStanding, n > len(counts):
		d.err = fmt.Errorf("%w: a newer agora wrote this record", errDamaged)
	case micros > 1<<53 || release > 1<<31-1 || uses > maxRecordUses:
		d.err = fmt.Errorf("%w: a number is out of range", errDamaged)
	}
	for range uses {
		if d.err != nil {
			return k, at, v, d.err
		}
		v.Uses = append(v.Uses, abi.Use{Capability: d.text(), Meter: d.text(), Subject: d.text(), N: d.number()})
	}
	if d.err == nil && len(d.b) > 0 {
		d.err = fmt.Errorf("%w: a record has %d bytes too many", errDamaged, len(d.b))
	}
	v.Release = int(release)
	return k, time.UnixMicro(int64(micros)).UTC(), v, d.err
}

func (d *decoder) bad(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s is missing", errDamaged, what)
	}
	d.b = nil
}

func (d *decoder) u8() byte {
	if len(d.b) == 0 {
		d.bad("a byte")
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) number() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.bad("a number")
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) bytes(n uint64) []byte {
	if n > maxRecordText || n > uint64(len(d.b)) {
		d.bad("a text")
		return nil
	}
	s := d.b[:n]
	d.b = d.b[n:]
	return s
}

func (d *decoder) text() string {
	raw := d.bytes(d.number())
	if s, ok := d.texts[string(raw)]; ok {
		return s
	}
	s := string(raw)
	if len(d.texts) < 1<<16 {
		d.texts[s] = s
	}
	return s
}

func (d *decoder) id() string {
	n := d.number()
	raw := d.bytes(n >> 1)
	if n&1 == 1 {
		return hex.EncodeToString(raw)
	}
	return string(raw)
}
