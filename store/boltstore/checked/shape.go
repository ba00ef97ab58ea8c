package checked

import "slices"

// Meta is the bucket that each file has beside those of its Shape. The tallies are in it, and what a
// Shape keeps about the file itself.
const Meta = "meta"

// Shape is what files of one kind have, and what only their owner can say about them.
type Shape struct {
	// Buckets are made when a file is opened, where they are missing.
	Buckets []string
	// Required are the records of Meta without which a file is damaged.
	Required []string
	// Prepare brings a file up to date whenever it is opened, and makes a new one ready. Its buckets
	// are there; made reports which of them were not before.
	Prepare func(w *Writer, made func(bucket string) bool) error
	// Name says in words what a record is, for people who have to decide about it.
	Name func(bucket string, key []byte) string
	// Unseal, if not nil, is how this kind of file opens records, those of Meta as well; otherwise it
	// is Unseal.
	Unseal func(bucket string, key, record []byte) (value []byte, ok bool)
	// Relate, if not nil, begins to compare records with each other.
	Relate func() Relation
	// Uncounted reports whether a file is of a format that had no tallies yet, by the buckets that
	// were found and the records of Meta. Of such a file only the seals of AlwaysSealed are right
	// for certain.
	Uncounted    func(found map[string]bool, meta map[string][]byte) bool
	AlwaysSealed []string
}

// Relation is what has to hold between the records of a whole file. It is made for one reading.
type Relation interface {
	// See is shown each record but those of Meta, in the order of the keys of each bucket. It must
	// not keep them.
	See(bucket string, key, value []byte)
	// Wrong is asked once all were seen, and says in words what does not hold. counted has the
	// tallies of the buckets that the file has.
	Wrong(meta map[string][]byte, counted map[string]Tally) []string
}

// buckets are all but Meta.
func (s *Shape) buckets() []string { return append(slices.Clip(s.Buckets), bScrub) }

func (s *Shape) unseal(bucket string, key, record []byte) (value []byte, ok bool) {
	if s.Unseal != nil {
		return s.Unseal(bucket, key, record)
	}
	return Unseal(bucket, key, record)
}

func (s *Shape) uncounted(found map[string]bool, meta map[string][]byte) bool {
	return s.Uncounted != nil && s.Uncounted(found, meta)
}

type nothing struct{}

func (nothing) See(string, []byte, []byte)                         {}
func (nothing) Wrong(map[string][]byte, map[string]Tally) []string { return nil }

func (s *Shape) relation() Relation {
	if s.Relate == nil {
		return nothing{}
	}
	return s.Relate()
}
