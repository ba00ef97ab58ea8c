package boltstore

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/store/boltstore/checked"
)

const (
	bApps        = "apps"
	bReleases    = "releases"
	bActivations = "activations"
	bKeys        = "keys"
	bRequests    = "requests"
	bGrants      = "grants"
	bUsers       = "users"
	bCredentials = "credentials"
	bEvents      = "events"
	bUsage       = "usage"
	bHours       = "usage_hours"
	bDays        = "usage_days"
	bAdjustments = "usage_adjustments"
	bEpochs      = "usage_epochs"
	bPauses      = "pauses"
	bHosts       = "hosts"
	bMeta        = checked.Meta
	bSecrets     = "secrets"
	bAttempts    = "attempts" // writes that have a key, by person and key
	bAudiences   = "audiences"
	bAccess      = "access" // requests for access, by app, tier and person

	bCertificates = "certificates" // of removals
	bPersons      = "persons"      // by what refers to them
	bAccounts     = "accounts"     // at sign-in providers, by id
	bGroups       = "groups"       // by id
	bMembers      = "members"      // by group and person

	bQuotas = "quotas" // that operators set, by what they are of

	bProvisioned   = "provisioned"   // people, by provider
	bProvisionings = "provisionings" // providers
)

var buckets = []string{bApps, bReleases, bActivations, bKeys, bRequests, bGrants, bUsers, bCredentials, bEvents, bUsage, bHours, bDays, bAdjustments, bEpochs, bPauses, bSecrets, bUses, bHosts, bUnnamed, bCounts, bIndex, bCertificates, bPersons, bAccounts, bLinks, bGroups, bMembers, bCursors, bAttempts, bProvisioned, bProvisionings, bAudiences, bAccess, bNotices, bNoticeSettings, bOutbox, bQuotas}

// format is the version of the records' shapes. Format 2 added the tallies, and
// counters that carry a checksum; in format 3 an hour of usage is no JSON; format 4 added the
// index, and what all releases of an app used together; format 5 added states of apps: an earlier
// agora would serve what is suspended; in format 6 records refer to people by ids, and meters have
// other names, which an earlier one would bill as unknown; format 7 added accounts at sign-in
// providers and roles that they give, which an earlier one would lose; format 8 added what groups have,
// which an earlier one would not count; format 9 added quarantines: an earlier agora would serve what is
// quarantined.
const format = 9

// opened is the format in which apps say who may open them, and grouped the one that counts what groups
// have.
const (
	opened  = 7
	grouped = 8
)

// identified is the format that gave people ids.
const identified = 6

var _ state.Store = (*Store)(nil)

// Store is the control plane's state.
type Store struct {
	file *checked.File
	now  func() time.Time

	mu      sync.Mutex // guards changed
	changed chan struct{}
}

// Open opens or makes a store.
func Open(path string, now func() time.Time) (*Store, error) {
	f, err := checked.Open(path, storeShape)
	if err != nil {
		return nil, err
	}
	return &Store{file: f, now: now, changed: make(chan struct{})}, nil
}

// prepareStore makes a new file ready, and brings an older one up to date.
func prepareStore(f *checked.Writer, made func(bucket string) bool) error {
	w := newWriter(f)
	if made(bCounts) {
		if err := w.countAll(); err != nil {
			return err
		}
	}
	if made(bIndex) {
		if err := errors.Join(w.reindex(), sumUses(w)); err != nil {
			return err
		}
	}
	if made(bDays) {
		if sealed, err := sealedUntil(w.tx); err != nil || !sealed.IsZero() {
			if err := errors.Join(err, sealDays(w, time.Time{}, sealed)); err != nil {
				return err
			}
		}
	}
	found, err := get[int](w.tx, bMeta, []byte("format"), os.ErrNotExist)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if found > format {
		return fmt.Errorf("the data was written by a newer agora (format %d, this one knows %d): run that one", found, format)
	}
	if found == format {
		return nil
	}
	if found < identified {
		if err := identify(w); err != nil {
			return fmt.Errorf("give people ids: %w", err)
		}
	}
	if found < opened {
		if err := openAsBefore(w); err != nil {
			return fmt.Errorf("write down who may open apps: %w", err)
		}
	}
	if !made(bCounts) {
		if err := countGroups(w); err != nil {
			return fmt.Errorf("count apps: %w", err)
		}
	}
	if err := groupReleases(w); err != nil {
		return fmt.Errorf("count the releases of groups: %w", err)
	}
	rev, err := revision(w.tx)
	if err != nil {
		return err
	}
	return errors.Join(put(w, bMeta, []byte("rev"), rev), put(w, bMeta, []byte("format"), format))
}

// Close closes the file. It may be called again.
func (s *Store) Close() error { return s.file.Close() }

// reader reads everything that the domains store, within one transaction.
//
// It keeps the context that View or Update was given, which outlives it: every list looks at
// it, so that no caller who has left is read for.
type reader struct {
	ctx context.Context
	tx  checked.Tx
	at  time.Time
	registryReader
	approvalReader
	groupReader
	provisionReader
	accountReader
	audienceReader
	quotaReader
	noticeReader
}

// registryReader reads apps and what belongs to them, for a reader.
type registryReader struct{ in *reader }

// approvalReader reads requests and grants, for a reader.
type approvalReader struct{ in *reader }

func newReader(ctx context.Context, tx checked.Tx, at time.Time) *reader {
	r := &reader{ctx: ctx, tx: tx, at: at.UTC()}
	r.registryReader, r.approvalReader = registryReader{r}, approvalReader{r}
	r.groupReader, r.provisionReader, r.accountReader, r.audienceReader, r.quotaReader = groupReader{r}, provisionReader{r}, accountReader{r}, audienceReader{r}, quotaReader{r}
	r.noticeReader = noticeReader{r}
	return r
}

// transaction is one that writes.
type transaction struct {
	*reader
	w      *writer
	rev    abi.Rev
	actor  string
	behalf abi.Behalf
	events int
	err    error // of Emit
	groupWriter
	provisionWriter
	accountWriter
	audienceWriter
	quotaWriter
	noticeWriter
}

func newTransaction(r *reader, w *writer) *transaction {
	return &transaction{reader: r, w: w, groupWriter: groupWriter{r, w}, provisionWriter: provisionWriter{w}, accountWriter: accountWriter{r, w}, audienceWriter: audienceWriter{w}, quotaWriter: quotaWriter{w}, noticeWriter: noticeWriter{w}}
}

// View reads.
func (s *Store) View(ctx context.Context, read func(state.Reader) error) error {
	return s.view(ctx, func(r *reader) error { return read(r) })
}

func (s *Store) view(ctx context.Context, read func(*reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.file.View(func(tx checked.Tx) error { return read(newReader(ctx, tx, s.now())) })
}

// Update changes state, one Update after the other. When change returns nil its
// writes, its events and the next revision are durable; otherwise nothing
// happened. change must not do I/O of its own.
func (s *Store) Update(ctx context.Context, actor string, change func(state.Tx) error) (abi.Rev, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	var rev abi.Rev
	err := commit(s.file, func(w *writer) error {
		last, err := revision(w.tx)
		if err != nil {
			return err
		}
		rev = last + 1
		if err := put(w, bMeta, []byte("rev"), rev); err != nil {
			return err
		}
		t := newTransaction(newReader(ctx, w.tx, s.now()), w)
		t.rev, t.actor, t.behalf = rev, actor, abi.Behalf{}
		if err := change(t); err != nil {
			return err
		}
		return t.err
	})
	if err != nil {
		return 0, err
	}
	s.announce()
	return rev, nil
}

// announce wakes whoever waits for a revision.
func (s *Store) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

func revision(tx checked.Tx) (abi.Rev, error) {
	rev, err := get[abi.Rev](tx, bMeta, []byte("rev"), os.ErrNotExist)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	return rev, err
}

// Rev is the last committed revision.
func (s *Store) Rev(ctx context.Context) (rev abi.Rev, err error) {
	err = s.view(ctx, func(tx *reader) error {
		rev, err = revision(tx.tx)
		return err
	})
	return rev, err
}

// Wait returns once there is a revision after the given one.
func (s *Store) Wait(ctx context.Context, after abi.Rev) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		rev, err := s.Rev(ctx)
		if err != nil || rev > after {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// As says who acts, where that is known only once the transaction has read it.
func (t *transaction) As(actor string) { t.actor = actor }

// Behalf says which person is behind the actor.
func (t *transaction) Behalf(of abi.Behalf) { t.behalf = of }

// Emit adds an event to the revision. Detail must not hold secrets.
func (t *transaction) Emit(kind, app, subject string, detail map[string]string) {
	e := abi.Event{Rev: t.rev, Seq: t.events, At: t.at, Actor: t.actor, Kind: kind, App: app, Subject: subject, Detail: detail, Behalf: t.behalf}
	if err := put(t.w, bEvents, key(number(uint64(t.rev))+number(uint64(t.events))), e); err != nil && t.err == nil {
		t.err = err
	}
	t.events++
}

// Events lists events. All are kept.
func (s *Store) Events(ctx context.Context, q state.EventQuery) (events []abi.Event, err error) {
	err = s.View(ctx, func(tx state.Reader) error {
		events, _, err = tx.Events(q, nil)
		return err
	})
	return events, err
}

// mostLooks bounds how many events one part is looked for among: what a person may see can be
// far apart.
const mostLooks = 10_000

// Events lists a part of the events.
func (t *reader) Events(q state.EventQuery, sees func(abi.Event) (bool, error)) (part []abi.Event, next abi.Rev, err error) {
	looks := 0
	for k, record := range t.tx.Part(bEvents, nil, place(q), q.Newest) {
		if err := t.ctx.Err(); err != nil {
			return nil, 0, err
		}
		e, err := decode[abi.Event](bEvents, k, record)
		if err != nil {
			return nil, 0, err
		}
		if (q.Newest && e.Rev <= q.After) || (!q.Newest && q.Before > 0 && e.Rev >= q.Before) {
			break
		}
		full := (q.Limit >= 0 && len(part) >= q.Limit) || (sees != nil && looks >= mostLooks)
		if full && e.Rev != next {
			return part, next, nil
		}
		ok := q.Matches(e)
		if ok && sees != nil {
			if ok, err = sees(e); err != nil {
				return nil, 0, err
			}
		}
		if ok {
			part = append(part, e)
		}
		next, looks = e.Rev, looks+1
	}
	return part, 0, nil
}

// place is the key after which, or before which, a query begins to look; nil for the beginning.
func place(q state.EventQuery) []byte {
	switch {
	case !q.Newest && q.After > 0:
		return []byte(number(uint64(q.After)) + number(1<<64-1))
	case q.Newest && q.Before > 0:
		return []byte(number(uint64(q.Before)))
	}
	return nil
}

var storeShape = &checked.Shape{
	Buckets: buckets, Required: []string{"format", "rev"}, Prepare: prepareStore, Name: recordName, Uncounted: uncounted,
	Relate: func() checked.Relation {
		return &relation{newest: map[string]uint64{}, adding: addition{sums{}, sums{}}}
	},
}

// uncounted reports whether a file is of format 1.
func uncounted(_ map[string]bool, meta map[string][]byte) bool { return string(meta["format"]) == "1" }

// relation is what has to hold between the records of a store.
type relation struct {
	newest map[string]uint64 // number that a bucket's keys reach
	adding addition
	index  indexCheck
}

// See implements checked.Relation.
func (r *relation) See(bucket string, key, value []byte) {
	r.adding.see(bucket, key, value)
	r.index.see(bucket, key, value)
	switch n := len(key); {
	case (bucket == bEvents || bucket == bRequests) && n >= 8:
		r.newest[bucket] = max(r.newest[bucket], binary.BigEndian.Uint64(key))
	case bucket == bActivations && n >= 8:
		r.newest[bucket] = max(r.newest[bucket], binary.BigEndian.Uint64(key[n-8:]))
	}
}

// Wrong implements checked.Relation.
func (r *relation) Wrong(meta map[string][]byte, counted map[string]checked.Tally) (wrong []string) {
	var rev uint64
	if err := json.Unmarshal(meta["rev"], &rev); err != nil || r.newest[bEvents] > rev {
		wrong = append(wrong, fmt.Sprintf("has events up to revision %d, and is at revision %d", r.newest[bEvents], rev))
	}
	for _, b := range []string{bRequests, bActivations} {
		if r.newest[b] > counted[b].Last {
			wrong = append(wrong, fmt.Sprintf("has %s up to number %d, and counted %d", b, r.newest[b], counted[b].Last))
		}
	}
	if _, counts := counted[bCounts]; counts {
		var format int
		_ = json.Unmarshal(meta["format"], &format) // what cannot be read has been told
		wrong = append(wrong, r.adding.wrong(format)...)
	}
	if _, has := counted[bIndex]; has {
		wrong = append(wrong, r.index.wrong()...)
	}
	return wrong
}
