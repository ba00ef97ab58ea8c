package boltstore

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/notices"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/store/boltstore/checked"
)

// bCounts holds sums over records, by kind and by what they are of. Each record adds what
// counting says of it, and nothing else does: the writer keeps the sums with every change,
// and the verifier adds them up again.
const bCounts = "counts"

// The kinds of counts that are the store's own. What each is of stands beside it.
const (
	countBlob    = "blob"    // a digest: the releases that name it
	countWaiting = "waiting" // an app, a release and an open request about it
	countEnds    = "ends"    // when a credential ends, and its hash
)

func plus(c, d state.Count) state.Count { return state.Count{N: c.N + d.N, Bytes: c.Bytes + d.Bytes} }
func negated(c state.Count) state.Count { return state.Count{N: -c.N, Bytes: -c.Bytes} }

// sums are counts by key.
type sums map[string]state.Count

func (s sums) add(c state.Count, parts ...string) {
	k := string(key(parts...))
	s[k] = plus(s[k], c)
}

var one = state.Count{N: 1}

// counting says what a record of a bucket adds to which counts.
var counting = map[string]func(s sums, value []byte) error{
	bApps: counts(func(s sums, a struct {
		Owner, Group string
		Removal      *registry.Removal
	}) {
		if a.Removal == nil || a.Removal.Done.IsZero() { // what is left of a removed app is a name
			s.add(one, string(state.CountApps), a.Owner)
			s.add(one, string(state.CountAllApps), "")
			if a.Group != "" {
				s.add(one, string(state.CountGroupApps), a.Group)
			}
		}
	}),
	bReleases: counts(func(s sums, r struct {
		App            string
		Size           int64
		Digest, Bundle registry.Digest
		Manifest       struct{ Owner string }
		Charged, Group string
	}) {
		s.add(one, string(state.CountReleases), r.App)
		s.add(state.Count{N: 1, Bytes: r.Size}, string(state.CountOwned), cmp.Or(r.Charged, r.Manifest.Owner))
		s.add(state.Count{N: 1, Bytes: r.Size}, string(state.CountModules), "")
		if r.Group != "" {
			s.add(state.Count{N: 1, Bytes: r.Size}, string(state.CountGroupOwned), r.Group)
		}
		s.add(one, countBlob, string(r.Digest))
		s.add(one, countBlob, string(r.Bundle))
	}),
	// A module whose file is still there counts as if its release were, or deleting would make
	// room that the disk does not have.
	bUnnamed: counts(func(s sums, u registry.Unnamed) {
		if u.Size > 0 {
			s.add(state.Count{N: 1, Bytes: u.Size}, string(state.CountOwned), u.Owner)
			s.add(state.Count{N: 1, Bytes: u.Size}, string(state.CountModules), "")
			if u.Group != "" {
				s.add(state.Count{N: 1, Bytes: u.Size}, string(state.CountGroupOwned), u.Group)
			}
		}
	}),
	bRequests: counts(func(s sums, q struct {
		ID, App, By string
		Release     int
		Status      approvals.Status
	}) {
		if q.Status == approvals.StatusOpen {
			s.add(one, string(state.CountRequests), q.By)
		}
		if q.Status == approvals.StatusOpen || q.Status == approvals.StatusScheduled {
			s.add(one, countWaiting, q.App, strconv.Itoa(q.Release), q.ID)
		}
	}),
	bCredentials: counts(func(s sums, c access.Credential) {
		if c.Kind != access.KindApp { // no quota is about these, and a person's apps are counted under that word
			s.add(one, string(c.Kind)+"s", c.User)
		}
		if ends := c.Ends(); !ends.IsZero() {
			s.add(one, countEnds, number(uint64(max(0, ends.Unix())))+c.Hash)
		}
	}),
	bKeys:    counts(func(s sums, k struct{ Identity string }) { s.add(one, string(state.CountKeys), k.Identity) }),
	bSecrets: counts(func(s sums, v struct{ App string }) { s.add(one, string(state.CountSecrets), v.App) }),
	bHosts: counts(func(s sums, n struct{ App string }) {
		s.add(one, string(state.CountHosts), n.App)
		s.add(one, string(state.CountAllHosts), "")
	}),
	bGroups: counts(func(s sums, _ struct{}) { s.add(one, string(state.CountGroups), "") }),
	bMembers: counts(func(s sums, m access.Member) {
		s.add(one, string(state.CountMembers), m.Group)
		s.add(one, string(state.CountMemberOf), m.Person)
	}),
	bProvisioned: counts(func(s sums, p access.Provisioned) {
		if !p.Deleted.IsZero() {
			return
		}
		if s.add(one, string(state.CountProvisioned), p.Provider); !p.Active {
			s.add(one, string(state.CountDeprovisioned), p.Provider)
		}
	}),
	bNotices: counts(func(s sums, v notices.Notice) {
		if s.add(one, string(state.CountNotices), v.Person); v.Read.IsZero() {
			s.add(one, string(state.CountUnread), v.Person)
		}
	}),
	bOutbox: counts(func(s sums, d notices.Delivery) {
		kind := state.CountWaiting
		if !d.Dead.IsZero() {
			kind = state.CountUndelivered
		}
		s.add(one, string(kind), d.Lane())
	}),
	bUsers: counts(func(s sums, _ struct{}) { s.add(one, string(state.CountUsers), "") }),
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
		is[k] = plus(is[k], negated(c))
	}
	for _, k := range slices.Sorted(maps.Keys(is)) {
		if err := w.count(k, is[k]); err != nil {
			return err
		}
	}
	return nil
}

// count adds to one count, and remembers what it was before the transaction.
func (w *writer) count(k string, by state.Count) error {
	if by == (state.Count{}) {
		return nil
	}
	was, err := readCount(w.tx, k)
	if err != nil {
		return err
	}
	if _, known := w.counted[k]; !known {
		if w.counted == nil {
			w.counted = map[string]state.Count{}
		}
		w.counted[k] = was
	}
	if now := plus(was, by); now != (state.Count{}) {
		return put(w, bCounts, []byte(k), now)
	}
	return w.remove(bCounts, []byte(k))
}

func readCount(tx checked.Tx, k string) (state.Count, error) {
	c, err := get[state.Count](tx, bCounts, []byte(k), os.ErrNotExist)
	if errors.Is(err, os.ErrNotExist) {
		return state.Count{}, nil
	}
	return c, err
}

// countAll counts what a file has from before there were counts.
func (w *writer) countAll() error {
	for _, bucket := range sortedKeys(counting) {
		for k, record := range w.tx.From(bucket, nil) {
			if err := w.recount(bucket, k, nil, record); err != nil {
				return err
			}
		}
	}
	return nil
}

// ofGroups are the counts that format 8 added.
func ofGroups(k string) bool {
	kind, _, _ := strings.Cut(k, "\x00")
	return kind == string(state.CountAllApps) || kind == string(state.CountGroupApps) || kind == string(state.CountGroupOwned)
}

// countGroups brings a file of a format before 8 up to date, which did not count what groups have. Its
// other counts are there.
func countGroups(w *writer) error {
	for k, record := range w.tx.From(bApps, nil) {
		raw, err := unseal(bApps, k, record)
		if err != nil {
			return err
		}
		found := sums{}
		if err := counting[bApps](found, raw); err != nil {
			return fmt.Errorf("count %s: %w", recordName(bApps, k), err)
		}
		for _, k := range sortedKeys(found) {
			if ofGroups(k) {
				if err := w.count(k, found[k]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// groupReleases notes in the releases of apps that groups own which groups those are.
func groupReleases(w *writer) error {
	groups := map[string]string{}
	for k, record := range w.tx.From(bApps, nil) {
		a, err := decode[registry.App](bApps, k, record)
		if err != nil {
			return err
		}
		if a.Group != "" {
			groups[a.Name] = a.Group
		}
	}
	for _, app := range sortedKeys(groups) {
		if err := groupReleasesOf(w, app, groups[app]); err != nil {
			return err
		}
	}
	return nil
}

// groupReleasesOf has the releases of an app count for a group; "" for none.
func groupReleasesOf(w *writer, app, group string) error {
	for _, k := range keysOf(w, bReleases, app, noLimit) {
		r, err := get[registry.Release](w.tx, bReleases, k, registry.ErrNoRelease)
		if err == nil {
			r.Group = group
			err = put(w, bReleases, k, r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Count reads a count.
func (t *reader) Count(kind state.CountKind, of string) (state.Count, error) {
	return readCount(t.tx, string(key(string(kind), of)))
}

// Grown lists the counts that the transaction made larger so far, in order.
func (t *transaction) Grown() ([]state.Growth, error) {
	var grown []state.Growth
	for _, k := range sortedKeys(t.w.counted) {
		before := t.w.counted[k]
		if kind, _, _ := strings.Cut(k, "\x00"); kind == countBlob || kind == countWaiting || kind == countEnds {
			continue
		}
		now, err := readCount(t.tx, k)
		if err != nil {
			return nil, err
		}
		if now.N > before.N || now.Bytes > before.Bytes {
			kind, of, _ := strings.Cut(k, "\x00")
			grown = append(grown, state.Growth{Kind: state.CountKind(kind), Of: of, Before: before, Now: now})
		}
	}
	return grown, nil
}

// below lists what follows a prefix in the keys of counts.
func below(tx checked.Tx, prefix []byte, see func(rest string) (more bool)) {
	for k := range tx.Under(bCounts, prefix) {
		if !see(string(k[len(prefix):])) {
			return
		}
	}
}

// Waiting lists the requests about an app's releases that are open, or approved and have not started: one id for each release.
func (t approvalReader) Waiting(app string) (map[int]string, error) {
	waiting := map[int]string{}
	below(t.in.tx, key(countWaiting, app, ""), func(rest string) bool {
		n, id, _ := strings.Cut(rest, "\x00")
		if release, err := strconv.Atoi(n); err == nil {
			waiting[release] = id
		}
		return true
	})
	return waiting, nil
}

// EndedCredentials returns the hashes of credentials that have ended. It reads those alone that end
// in this very second.
func (t *reader) EndedCredentials(now time.Time, most int) (hashes []string, err error) {
	at := uint64(max(0, now.Unix()))
	below(t.tx, within(countEnds), func(rest string) (more bool) {
		if len(hashes) >= most || len(rest) <= 8 || readNumber(rest) > at {
			return false
		}
		hash, ended := rest[8:], true
		if readNumber(rest) == at {
			var c access.Credential
			c, err = t.CredentialByHash(hash)
			ended = c.Ended(now)
		}
		if ended {
			hashes = append(hashes, hash)
		}
		return err == nil
	})
	return hashes, err
}

// addition adds the counts up again while a file is verified.
type addition struct{ sums, stored sums }

func (a addition) see(bucket string, key, value []byte) {
	if add := counting[bucket]; add != nil {
		_ = add(a.sums, value) // what cannot be read is missing in the sum
	}
	if bucket == bCounts {
		var c state.Count
		_ = json.Unmarshal(value, &c)
		a.stored[string(key)] = c
	}
}

// wrong names the counts that do not add up. A file of a format before 8 has none of groups.
func (a addition) wrong(format int) (found []string) {
	if format < grouped {
		maps.DeleteFunc(a.sums, func(k string, _ state.Count) bool { return ofGroups(k) })
	}
	maps.DeleteFunc(a.sums, func(_ string, c state.Count) bool { return c == state.Count{} })
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

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
