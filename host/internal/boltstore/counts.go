package boltstore

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
)

// bCounts holds sums over records, by kind and by what they are of. Each record adds what
// counting says of it, and nothing else does: the writer keeps the sums with every change,
// and the verifier adds them up again.
const bCounts = "counts"

// The kinds of counts. What each is of stands beside it.
const (
	CountApps     = "apps"      // a person
	CountReleases = "releases"  // an app
	CountOwned    = "owned"     // a person: releases, and the bytes of their modules
	CountModules  = "modules"   // "": all releases, and the bytes of their modules
	CountRequests = "requests"  // a person: those that are open
	CountTokens   = "tokens"    // a person
	CountSessions = "sessions"  // a person
	CountLinks    = "links"     // a person
	CountKeys     = "keys"      // an identity
	CountSecrets  = "secrets"   // an app
	CountHosts    = "hosts"     // an app
	CountAllHosts = "all-hosts" // ""
	CountUsers    = "users"     // ""

	countBlob    = "blob"    // a digest: the releases that name it
	countWaiting = "waiting" // an app, a release and an open request about it
	countEnds    = "ends"    // when a credential ends, and its hash
)

// Count is one sum. What sums to nothing has no record.
type Count struct {
	N     int64 `json:"n,omitempty"`
	Bytes int64 `json:"bytes,omitempty"`
}

func (c Count) plus(d Count) Count { return Count{c.N + d.N, c.Bytes + d.Bytes} }
func (c Count) negated() Count     { return Count{-c.N, -c.Bytes} }

// Growth is a count that a transaction made larger.
type Growth struct {
	Kind, Of    string
	Before, Now Count
}

// sums are counts by key.
type sums map[string]Count

func (s sums) add(c Count, parts ...string) {
	k := string(key(parts...))
	s[k] = s[k].plus(c)
}

var one = Count{N: 1}

// counting says what a record of a bucket adds to which counts.
var counting = map[string]func(s sums, value []byte) error{
	bApps: counts(func(s sums, a struct {
		Owner   string
		Removal *registry.Removal
	}) {
		if a.Removal == nil || a.Removal.Done.IsZero() { // what is left of a removed app is a name
			s.add(one, CountApps, a.Owner)
		}
	}),
	bReleases: counts(func(s sums, r struct {
		App            string
		Size           int64
		Digest, Bundle registry.Digest
		Manifest       struct{ Owner string }
		Charged        string
	}) {
		s.add(one, CountReleases, r.App)
		s.add(Count{1, r.Size}, CountOwned, cmp.Or(r.Charged, r.Manifest.Owner))
		s.add(Count{1, r.Size}, CountModules, "")
		s.add(one, countBlob, string(r.Digest))
		s.add(one, countBlob, string(r.Bundle))
	}),
	// A module whose file is still there counts as if its release were, or deleting would make
	// room that the disk does not have.
	bUnnamed: counts(func(s sums, u Unnamed) {
		if u.Size > 0 {
			s.add(Count{1, u.Size}, CountOwned, u.Owner)
			s.add(Count{1, u.Size}, CountModules, "")
		}
	}),
	bRequests: counts(func(s sums, q struct {
		ID, App, By string
		Release     int
		Status      approvals.Status
	}) {
		if q.Status == approvals.StatusOpen {
			s.add(one, CountRequests, q.By)
			s.add(one, countWaiting, q.App, strconv.Itoa(q.Release), q.ID)
		}
	}),
	bCredentials: counts(func(s sums, c access.Credential) {
		s.add(one, string(c.Kind)+"s", c.User)
		if !c.Expires.IsZero() {
			s.add(one, countEnds, number(uint64(max(0, c.Expires.Unix())))+c.Hash)
		}
	}),
	bKeys:    counts(func(s sums, k struct{ Identity string }) { s.add(one, CountKeys, k.Identity) }),
	bSecrets: counts(func(s sums, v struct{ App string }) { s.add(one, CountSecrets, v.App) }),
	bHosts: counts(func(s sums, n struct{ App string }) {
		s.add(one, CountHosts, n.App)
		s.add(one, CountAllHosts, "")
	}),
	bUsers: counts(func(s sums, _ struct{}) { s.add(one, CountUsers, "") }),
}

// counts decodes as much of a record as adding needs.
func counts[T any](add func(sums, T)) func(sums, []byte) error {
	return func(s sums, value []byte) error {
		var v T
		err := json.Unmarshal(value, &v)
		if err == nil {
			add(s, v)
		}
		return err
	}
}

// recount brings the counts up to date with a record that is about to change from old
// to record. Either may be nil.
func (w *writer) recount(bucket string, key, old, record []byte) error {
	add := counting[bucket]
	if add == nil {
		return nil
	}
	was, is := sums{}, sums{}
	for _, r := range []struct {
		record []byte
		into   sums
	}{{old, was}, {record, is}} {
		if r.record == nil {
			continue
		}
		raw, err := unseal(bucket, key, r.record)
		if err == nil {
			err = add(r.into, raw)
		}
		if err != nil {
			return fmt.Errorf("count %s: %w", recordName(bucket, key), err)
		}
	}
	for k, c := range was {
		is[k] = is[k].plus(c.negated())
	}
	for _, k := range slices.Sorted(maps.Keys(is)) {
		if err := w.count(k, is[k]); err != nil {
			return err
		}
	}
	return nil
}

// count adds to one count, and remembers what it was before the transaction.
func (w *writer) count(k string, by Count) error {
	if by == (Count{}) {
		return nil
	}
	was, err := readCount(w.tx, k)
	if err != nil {
		return err
	}
	if _, known := w.counted[k]; !known {
		w.counted[k] = was
	}
	if now := was.plus(by); now != (Count{}) {
		return put(w, bCounts, []byte(k), now)
	}
	return w.remove(bCounts, []byte(k))
}

func readCount(tx *bolt.Tx, k string) (Count, error) {
	c, err := get[Count](tx, bCounts, []byte(k), os.ErrNotExist)
	if errors.Is(err, os.ErrNotExist) {
		return Count{}, nil
	}
	return c, err
}

// countAll counts what a file has from before there were counts.
func (w *writer) countAll() error {
	for _, bucket := range sortedKeys(counting) {
		err := w.tx.Bucket([]byte(bucket)).ForEach(func(key, record []byte) error {
			return w.recount(bucket, key, nil, record)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Count reads a count.
func (t *Tx) Count(kind, of string) (Count, error) { return readCount(t.tx, string(key(kind, of))) }

// Grown lists the counts that the transaction made larger so far, in order.
func (t *Tx) Grown() ([]Growth, error) {
	var grown []Growth
	for _, k := range sortedKeys(t.w.counted) {
		before := t.w.counted[k]
		now, err := readCount(t.tx, k)
		if err != nil {
			return nil, err
		}
		if now.N > before.N || now.Bytes > before.Bytes {
			kind, of, _ := strings.Cut(k, "\x00")
			grown = append(grown, Growth{kind, of, before, now})
		}
	}
	return grown, nil
}

// below lists what follows a prefix in the keys of counts.
func below(tx *bolt.Tx, prefix []byte, see func(rest string) (more bool)) {
	c := tx.Bucket([]byte(bCounts)).Cursor()
	for k, _ := c.Seek(prefix); k != nil && hasPrefix(k, prefix) && see(string(k[len(prefix):])); k, _ = c.Next() {
	}
}

// Waiting lists the open requests about an app's releases: one id for each release.
func (t *Tx) Waiting(app string) map[int]string {
	waiting := map[int]string{}
	below(t.tx, key(countWaiting, app, ""), func(rest string) bool {
		n, id, _ := strings.Cut(rest, "\x00")
		if release, err := strconv.Atoi(n); err == nil {
			waiting[release] = id
		}
		return true
	})
	return waiting
}

// maxSwept bounds how many credentials one transaction forgets.
const maxSwept = 1000

// expired lists credentials that have ended, some of them if there are many.
func (t *Tx) expired() ([]access.Credential, error) {
	var hashes []string
	below(t.tx, key(countEnds, ""), func(rest string) bool {
		ended := len(rest) > 8 && binary.BigEndian.Uint64([]byte(rest)) <= uint64(max(0, t.at.Unix()))
		if ended {
			hashes = append(hashes, rest[8:])
		}
		return ended && len(hashes) < maxSwept
	})
	var ended []access.Credential
	for _, hash := range hashes {
		c, err := t.CredentialByHash(hash)
		if err != nil {
			return nil, err
		}
		if !t.at.Before(c.Expires) {
			ended = append(ended, c)
		}
	}
	return ended, nil
}

// forgetExpired makes room: what has ended neither lets anybody in nor counts.
func (t *Tx) forgetExpired() error {
	ended, err := t.expired()
	for _, c := range ended {
		err = errors.Join(err, t.w.remove(bCredentials, key(c.Hash)))
	}
	return err
}

// addition adds the counts up again while a file is verified.
type addition struct{ sums, stored sums }

func (a addition) see(bucket string, key, value []byte) {
	if add := counting[bucket]; add != nil {
		_ = add(a.sums, value) // what cannot be read is missing in the sum
	}
	if bucket == bCounts {
		var c Count
		_ = json.Unmarshal(value, &c)
		a.stored[string(key)] = c
	}
}

// wrong names the counts that do not add up.
func (a addition) wrong() (found []string) {
	maps.DeleteFunc(a.sums, func(_ string, c Count) bool { return c == Count{} })
	if maps.Equal(a.sums, a.stored) {
		return nil
	}
	for _, k := range sortedKeys(a.sums) {
		if got, want := a.stored[k], a.sums[k]; got != want {
			found = append(found, fmt.Sprintf("has a count %q of %d (%d bytes), and its records make %d (%d bytes)", strings.ReplaceAll(k, "\x00", " "), got.N, got.Bytes, want.N, want.Bytes))
		}
	}
	for _, k := range sortedKeys(a.stored) {
		if _, ok := a.sums[k]; !ok {
			found = append(found, fmt.Sprintf("has a count %q of nothing", strings.ReplaceAll(k, "\x00", " ")))
		}
	}
	return found
}
