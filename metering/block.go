package metering

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/agora-host/agora/abi"
)

// A block is rows as bytes: all of a day, so that a quarter of a year is read in
// the time that one day of JSON would take, or one of an hour:
//
//	version 1; count of texts, each a length and its bytes; count of rows; rows
//	row  app, tier, cost center, team, owner, environment, trigger as numbers of
//	     texts, release, calls, instructions, guest_us, host_us, memory_kib_ms,
//	     bytes_in, bytes_out; count of errors, each kind and number; count of uses,
//	     each capability, meter, subject and number
//
// All numbers are uvarints.
const blockVersion = 1

var errBlock = errors.New("rows of usage cannot be read")

// EncodeBlock makes bytes of rows; of their hours nothing is kept.
func EncodeBlock(rows []Hour) []byte {
	e := blockEncoder{number: map[string]uint64{}}
	for i := range rows {
		e.row(&rows[i])
	}
	b := binary.AppendUvarint([]byte{blockVersion}, uint64(len(e.texts)))
	for _, s := range e.texts {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return append(binary.AppendUvarint(b, uint64(len(rows))), e.rows...)
}

type blockEncoder struct {
	number map[string]uint64
	texts  []string
	rows   []byte
}

func (e *blockEncoder) text(s string) {
	n, ok := e.number[s]
	if !ok {
		n = uint64(len(e.texts))
		e.number[s], e.texts = n, append(e.texts, s)
	}
	e.rows = binary.AppendUvarint(e.rows, n)
}

func (e *blockEncoder) count(n uint64) { e.rows = binary.AppendUvarint(e.rows, n) }

func (e *blockEncoder) row(h *Hour) {
	for _, s := range h.Tags.texts() {
		e.text(*s)
	}
	e.count(uint64(max(0, h.Release)))
	e.count(h.Calls)
	for _, n := range h.all() {
		e.count(*n)
	}
	e.count(uint64(len(h.Errors)))
	for kind, n := range h.Errors {
		e.text(kind)
		e.count(n)
	}
	e.count(uint64(len(h.Uses)))
	for _, u := range h.Uses {
		e.text(u.Capability)
		e.text(u.Meter)
		e.text(u.Subject)
		e.count(u.N)
	}
}

func (t *Tags) texts() [7]*string {
	return [...]*string{&t.App, &t.Tier, &t.CostCenter, &t.Team, &t.Owner, &t.Environment, &t.Trigger}
}

// DecodeBlock is the inverse of EncodeBlock. It tells each row in turn, which is
// good until each returns (the last one stays good): a quarter of a year is not
// kept in memory to be summed.
func DecodeBlock(b []byte, each func(*Hour)) error {
	if len(b) == 0 || b[0] != blockVersion {
		return fmt.Errorf("%w: it is of another version", errBlock)
	}
	d := blockDecoder{b: b, at: 1}
	if d.readTexts(); d.bad {
		return errBlock
	}
	var row Hour
	for n := d.length(16); n > 0; n-- { // a row has at least as many numbers
		if d.row(&row); d.bad {
			return errBlock
		}
		each(&row)
	}
	if d.bad || d.at < len(d.b) {
		return errBlock
	}
	return nil
}

type blockDecoder struct {
	b     []byte
	at    int // in b
	texts []string
	bad   bool
	// What a row that has errors or uses keeps them in, again and again.
	errors map[string]uint64
	uses   []abi.Use
}

func (d *blockDecoder) count() uint64 {
	if at := d.at; at < len(d.b) && d.b[at] < 0x80 { // most are small
		d.at = at + 1
		return uint64(d.b[at])
	}
	n, size := binary.Uvarint(d.b[d.at:])
	if size <= 0 {
		d.bad, d.at = true, len(d.b)
		return 0
	}
	d.at += size
	return n
}

// length reads how many things follow, each of which takes at least so many
// bytes: no more are promised than there is room for.
func (d *blockDecoder) length(each int) int {
	n := d.count()
	if n > uint64((len(d.b)-d.at)/each) {
		d.bad = true
		return 0
	}
	return int(n)
}

// readTexts makes one string of all texts, and each a part of it: a quarter of a
// year has a hundred thousand.
func (d *blockDecoder) readTexts() {
	d.texts = make([]string, d.length(1))
	start := d.at
	for range d.texts {
		d.at += d.length(1)
	}
	if d.bad {
		return
	}
	all := string(d.b[start:d.at])
	d.at = start
	for i := range d.texts {
		size := d.length(1)
		from := d.at - start
		d.texts[i] = all[from : from+size]
		d.at += size
	}
}

func (d *blockDecoder) text() string {
	n := d.count()
	if n >= uint64(len(d.texts)) {
		d.bad = true
		return ""
	}
	return d.texts[n]
}

func (d *blockDecoder) row(h *Hour) {
	for _, s := range h.Tags.texts() {
		*s = d.text()
	}
	release := d.count()
	d.bad = d.bad || release > 1<<31-1
	h.Release, h.Calls = int(release&(1<<31-1)), d.count()
	for _, n := range h.all() {
		*n = d.count()
	}
	h.Errors, h.Uses = nil, nil
	if n := d.length(2); n > 0 {
		if d.errors == nil {
			d.errors = map[string]uint64{}
		}
		clear(d.errors)
		for range n {
			kind := d.text()
			d.errors[kind] = d.count()
		}
		h.Errors = d.errors
	}
	if n := d.length(4); n > 0 {
		d.uses = d.uses[:0]
		for range n {
			d.uses = append(d.uses, abi.Use{Capability: d.text(), Meter: d.text(), Subject: d.text(), N: d.count()})
		}
		h.Uses = named(d.uses)
	}
}
