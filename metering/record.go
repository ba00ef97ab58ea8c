package metering

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
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

// record is what a payload says.
type record struct {
	seq    uint64
	proven bool
	kind   kind
	at     time.Time
	names  *names
	rawID  []byte
	hexID  bool // rawID is what the id's digits stand for
	// Invocation has no ID, and its Uses are good until the next record: see lasting.
	Invocation
}

// names are the texts of a record but for those in its id and uses. Most records
// share theirs with many.
type names struct {
	Tags  // of no release
	fault string
	cell  *cell // where one with these names was counted last; nil before
}

// appendID appends the record's id.
func (r *record) appendID(dst []byte) []byte {
	if r.hexID {
		return hex.AppendEncode(dst, r.rawID)
	}
	return append(dst, r.rawID...)
}

// lasting returns the invocation as it will stay, with its id.
func (r *record) lasting() Invocation {
	v := r.Invocation
	v.ID, v.Uses = string(r.appendID(nil)), slices.Clone(v.Uses)
	return v
}

// What a decoder remembers at most; then it begins anew.
const (
	maxTexts = 1 << 16
	maxNames = 1 << 14
)

// decoder reads payloads. It keeps each text once, since most records share
// theirs, and all names of a record as the bytes that say them.
type decoder struct {
	texts map[string]string
	names map[string]*names
	b     []byte
	at    int // in b
	err   error
}

func newDecoder() *decoder {
	return &decoder{texts: map[string]string{}, names: map[string]*names{}}
}

func (d *decoder) begin(payload []byte) { d.b, d.at, d.err = payload, 0, nil }

func (d *decoder) left() int { return len(d.b) - d.at }

// decode reads a record into r, which is good until the payload's bytes change.
func (d *decoder) decode(payload []byte, r *record) error {
	d.begin(payload)
	r.kind = kind(d.u8())
	micros := d.number()
	id := d.number()
	r.rawID, r.hexID = d.bytes(id>>1), id&1 == 1
	release := d.number()
	n := int(d.u8())
	r.Counts = Counts{}
	counts := r.all()
	for i := range n {
		value := d.number()
		if i < len(counts) {
			*counts[i] = value
		}
	}
	r.names = d.tags()
	uses := d.number()
	switch {
	case d.err != nil:
	case r.kind < kindInvocation || r.kind > kindStanding, n > len(counts):
		d.err = fmt.Errorf("%w: a newer agora wrote this record", errDamaged)
	case micros > 1<<53 || release > 1<<31-1 || uses > maxRecordUses:
		d.err = fmt.Errorf("%w: a number is out of range", errDamaged)
	}
	r.Uses = r.Uses[:0]
	for ; uses > 0 && d.err == nil; uses-- {
		r.Uses = append(r.Uses, abi.Use{Capability: d.text(), Meter: d.text(), Subject: d.text(), N: d.number()})
	}
	r.Uses = named(r.Uses)
	if d.err == nil && d.left() > 0 {
		d.err = fmt.Errorf("%w: a record has %d bytes too many", errDamaged, d.left())
	}
	r.at, r.Tags, r.Fault = time.UnixMicro(int64(micros)).UTC(), r.names.Tags, r.names.fault
	r.Release = int(release)
	return d.err
}

// tags reads the texts that a record has but for its uses. Where they are known,
// they are not looked at one by one.
func (d *decoder) tags() *names {
	start := d.at
	for range len((&Tags{}).texts()) + 1 {
		d.bytes(d.number())
	}
	if d.err != nil {
		return &names{}
	}
	said := d.b[start:d.at]
	if n, ok := d.names[string(said)]; ok {
		return n
	}
	if len(d.names) == maxNames {
		clear(d.names)
	}
	n := &names{}
	d.names[string(said)] = n
	d.at = start
	for _, s := range n.texts() {
		*s = d.text()
	}
	n.fault = d.text()
	return n
}

func (d *decoder) bad(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s is missing", errDamaged, what)
	}
	d.b, d.at = nil, 0
}

func (d *decoder) u8() byte {
	if d.left() == 0 {
		d.bad("a byte")
		return 0
	}
	d.at++
	return d.b[d.at-1]
}

func (d *decoder) number() uint64 {
	if at := d.at; at < len(d.b) && d.b[at] < 0x80 { // most are small
		d.at = at + 1
		return uint64(d.b[at])
	}
	return d.large()
}

func (d *decoder) large() uint64 {
	n, size := binary.Uvarint(d.b[d.at:])
	if size <= 0 {
		d.bad("a number")
		return 0
	}
	d.at += size
	return n
}

func (d *decoder) bytes(n uint64) []byte {
	if n > maxRecordText || n > uint64(d.left()) {
		d.bad("a text")
		return nil
	}
	d.at += int(n)
	return d.b[d.at-int(n) : d.at]
}

func (d *decoder) text() string {
	raw := d.bytes(d.number())
	if s, ok := d.texts[string(raw)]; ok {
		return s
	}
	if len(d.texts) == maxTexts {
		clear(d.texts)
	}
	s := string(raw)
	d.texts[s] = s
	return s
}
