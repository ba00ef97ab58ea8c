package approvals

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
)

var (
	// ErrAlreadyVoted: the person has a vote that counts.
	ErrAlreadyVoted = errors.New("you have voted already")
	// ErrNoVote: what acts is no person, or no stage waits for what the person reviews.
	ErrNoVote = errors.New("you have no vote about it")
)

// Stage is a part of a review: how many different people have to approve, as reviewers of what.
// Stages of one order wait at the same time, those of a higher one until these have their votes.
type Stage struct {
	Concern string `json:"concern,omitempty"` // one of Concerns; "": a reviewer of anything
	Need    int    `json:"need"`
	Order   int    `json:"order,omitempty"`
}

// What a policy can ask for at most: an organisation that asks for more has made a mistake.
const (
	maxStages = 20
	maxNeed   = 10
	maxOrder  = 100
)

// Concerns are what reviewers look at.
func Concerns() []string { return []string{"security", "privacy", "finance", "platform"} }

// Check reports what is wrong with a stage.
func (s Stage) Check() error {
	switch {
	case s.Concern != "" && !slices.Contains(Concerns(), s.Concern):
		return fmt.Errorf("a stage is for %s, or for any reviewer (\"\"), not for %.60q", strings.Join(Concerns(), ", "), s.Concern)
	case s.Need < 1 || s.Need > maxNeed:
		return fmt.Errorf("a stage needs 1 to %d people, not %d", maxNeed, s.Need)
	case s.Order < 0 || s.Order > maxOrder:
		return fmt.Errorf("the order of a stage is 0 to %d, not %d", maxOrder, s.Order)
	}
	return nil
}

// String says a stage in words.
func (s Stage) String() string {
	of := "of anything"
	if s.Concern != "" {
		of = "of " + s.Concern
	}
	if s.Need == 1 {
		return "one reviewer " + of
	}
	return fmt.Sprintf("%d reviewers %s", s.Need, of)
}

func (s Stage) compare(o Stage) int {
	return cmp.Or(cmp.Compare(s.Order, o.Order), -cmp.Compare(s.Concern, o.Concern)) // any reviewer last
}

// InOrder returns stages sorted, each concern once in each order: where several rules name it, the
// most people that one of them asks for.
func InOrder(stages []Stage) ([]Stage, error) {
	var all []Stage
	for _, s := range stages {
		if err := s.Check(); err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(all, func(o Stage) bool { return o.compare(s) == 0 }); i >= 0 {
			all[i].Need = max(all[i].Need, s.Need)
			continue
		}
		all = append(all, s)
	}
	if len(all) > maxStages {
		return nil, fmt.Errorf("there are %d stages, more than %d", len(all), maxStages)
	}
	slices.SortFunc(all, Stage.compare)
	return all, nil
}

// Vote is one person's verdict about one stage of a request.
type Vote struct {
	Stage   int       `json:"stage,omitempty"`   // its order
	Concern string    `json:"concern,omitempty"` // what the person voted as a reviewer of
	By      string    `json:"by"`
	For     string    `json:"for,omitempty"` // in whose place they voted; "": in their own
	Approve bool      `json:"approve"`
	Reason  string    `json:"reason,omitempty"`
	Remedy  string    `json:"remedy,omitempty"` // of a rejection: what would pass
	At      time.Time `json:"at"`
	Until   time.Time `json:"until,omitzero"`  // when what is granted ends; zero: as the rules say
	Starts  time.Time `json:"starts,omitzero"` // of a promotion: not before then; zero: at once
	About   Basis     `json:"about,omitzero"`
	// Void is why it does not count any more: "" if it does, or did when the request was decided.
	Void string `json:"void,omitempty"`
}

// Basis is what a vote relies on. A vote counts as long as its request has the same.
type Basis struct {
	Digest   string   `json:"digest"`             // of the module
	Terms    string   `json:"terms"`              // a digest of the release's terms
	Policy   Digest   `json:"policy,omitempty"`   // that judged it
	Requires []string `json:"requires,omitempty"` // what it required of the vote's concern, by capability and rule
}

// concernsOf are what reviewers look at in an app that uses a capability.
var concernsOf = map[string][]string{
	"blob": {"privacy"}, "kv": {"privacy"}, abi.CapabilityEvents: {"privacy"}, abi.CapabilitySubscribe: {"privacy"},
	"fetch": {"security"}, "secret": {"security"}, "llm": {"privacy", "finance"},
}

// ConcernsOf are what reviewers look at in an app that uses a capability.
func ConcernsOf(word string) []string {
	if of := concernsOf[word]; of != nil {
		return of
	}
	return []string{"platform"}
}

// IsAbout lists the concerns that a request is about: those of each capability that approving it
// grants, and a promotion is the platform's, too.
func (q Request) IsAbout() (all []string) {
	if q.Kind == KindPromotion {
		all = append(all, "platform")
	}
	for _, word := range q.Grants() {
		for _, c := range ConcernsOf(word) {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	return all
}

// basis is what a vote about a concern relies on.
func (q Request) basis(concern string) Basis {
	b := Basis{Digest: q.Digest, Terms: q.Reviewed.fingerprint(), Policy: q.Policy}
	for _, r := range q.Requires {
		if concern == "" || slices.Contains(ConcernsOf(r.Capability), concern) {
			b.Requires = append(b.Requires, strings.TrimSpace(r.Capability+" "+r.Code))
		}
	}
	slices.Sort(b.Requires)
	b.Requires = slices.Compact(b.Requires)
	return b
}

// fingerprint names terms by what they are. The signer is in the release, which is named by its
// digest: a person who is renamed changes nothing.
func (t Terms) fingerprint() string {
	t.Signer = ""
	raw, err := json.Marshal(t)
	if err != nil {
		panic("BUG: terms cannot be written: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16])
}

// differs says what of the basis of a vote is not what a request has now; "" if all is.
func (b Basis) differs(now Basis) string {
	switch {
	case b.Digest != now.Digest:
		return "the module is another one since"
	case b.Terms != now.Terms:
		return "what the release declares is read otherwise since"
	case b.Policy != now.Policy:
		return "the policy has changed since"
	case !slices.Equal(b.Requires, now.Requires):
		return "the policy requires something else of it since"
	}
	return ""
}

// Voter is a person as a count of votes sees them now.
type Voter struct {
	Person
	// Gone is why no vote of theirs counts: that they left, or are no person; "" if votes do.
	Gone string
	// Reviews reports whether they review a concern ("" : anything) of the request's app.
	Reviews func(concern string) bool
	// Whole is whether they review all that the request is about.
	Whole bool
	// For are the reviewers in whose place they vote where they cannot in their own, as these are now. What others
	// delegated to one of those is not theirs.
	For []Voter
}

// Voters finds people by their names.
type Voters func(name string) (Voter, error)

// stages are those of a request. One for which the policy names none has a single stage.
func (q Request) stages() []Stage {
	if len(q.Stages) == 0 {
		return []Stage{{Need: 1}}
	}
	return q.Stages
}

// Staged reports whether the policy names the stages of a request. Otherwise one reviewer of all that
// it is about decides.
func (q Request) Staged() bool { return len(q.Stages) > 0 }

// votes counts the votes that a stage has.
func (q Request) votes(s Stage) (n int) {
	for _, v := range q.Votes {
		if v.Approve && v.Void == "" && v.Stage == s.Order && v.Concern == s.Concern {
			n++
		}
	}
	return n
}

// Tally is how far a stage is.
type Tally struct {
	Stage
	Have int  `json:"have"`
	Open bool `json:"open"` // it waits for votes now
}

// Tallies lists the stages of a request with the votes that count, as the request has them noted.
func (q Request) Tallies() []Tally {
	var all []Tally
	waits := -1 // the order that does
	for _, s := range q.stages() {
		t := Tally{Stage: s, Have: q.votes(s)}
		if t.Have < s.Need && waits < 0 {
			waits = s.Order
		}
		t.Open = q.Status == StatusOpen && t.Have < s.Need && s.Order == waits
		all = append(all, t)
	}
	return all
}

// Waits lists the stages that wait for votes now.
func (q Request) Waits() (all []Stage) {
	for _, t := range q.Tallies() {
		if t.Open {
			all = append(all, t.Stage)
		}
	}
	return all
}

// is reports whether a person stands behind a vote: cast it, or had it cast in their place.
func (v Vote) is(name string) bool { return name != "" && (v.By == name || v.For == name) }

// VoteOf returns the vote that counts of a person: that they cast, or that was cast in their place.
func (q Request) VoteOf(name string) (Vote, bool) {
	for _, v := range q.Votes {
		if v.is(name) && v.Approve && v.Void == "" {
			return v, true
		}
	}
	return Vote{}, false
}

// Count notes of each vote whether it counts, by what the request is and who its voter is now. What
// was found void once stays so: its voter votes again.
func (q *Request) Count(policy Digest, voters Voters) error {
	now := *q
	now.Policy = policy
	q.Votes = slices.Clone(q.Votes)
	for i := range q.Votes {
		v := &q.Votes[i]
		if v.Void != "" || !v.Approve {
			continue
		}
		if v.Void = v.About.differs(now.basis(v.Concern)); v.Void != "" {
			continue
		}
		who, err := voters(v.By)
		if err != nil {
			return err
		}
		v.Void = q.voidFor(*v, who)
		if slices.ContainsFunc(q.Votes[:i], func(o Vote) bool { return (o.is(v.By) || o.is(v.For)) && o.Approve && o.Void == "" }) {
			v.Void = "the person has another vote"
		}
	}
	return nil
}

// voidFor says why a vote does not count because of its voter, or of the reviewer in whose place it was cast.
func (q Request) voidFor(v Vote, who Voter) string {
	right := who
	if v.For != "" {
		i := slices.IndexFunc(who.For, func(o Voter) bool { return o.Name == v.For })
		if i < 0 && who.Gone == "" {
			return fmt.Sprintf("%s does not decide in the place of %s any more", v.By, v.For)
		} else if i >= 0 {
			right = who.For[i]
		}
	}
	switch {
	case who.Gone != "":
		return who.Gone
	case q.conflicts(who.Person):
		return "the request concerns its voter since"
	case q.conflicts(right.Person):
		return "the request concerns " + v.For + " since, in whose place it was cast"
	case q.Staged() && !right.Reviews(v.Concern):
		return "its voter is no reviewer of that any more"
	case !slices.ContainsFunc(q.stages(), func(s Stage) bool { return s.Order == v.Stage && s.Concern == v.Concern }):
		return "the policy has no such stage any more"
	}
	return ""
}

// stageFor returns the stage that a vote is about, and in whose place it is cast: of those that wait, the
// first that its voter reviews, any reviewer's last; or with a concern that one. Only where there is none by
// the voter's own right is it one of those in whose place they vote.
func (q Request) stageFor(who Voter, concern *string) (Stage, string, error) {
	if s, ok := stageOf(q, who, concern); ok {
		return s, "", nil
	}
	voted := ""
	for _, other := range who.For {
		s, ok := stageOf(q, other, concern)
		switch _, has := q.VoteOf(other.Name); {
		case !ok || q.conflicts(other.Person):
		case has:
			voted = other.Name
		default:
			return s, other.Name, nil
		}
	}
	if voted != "" {
		return Stage{}, "", fmt.Errorf("%s has voted about %s, and you would in the same place: %w", voted, q.ID, ErrAlreadyVoted)
	}
	if !q.Staged() { // whose role it takes, the caller says
		return q.stages()[0], "", nil
	}
	var words []string
	for _, s := range q.Waits() {
		words = append(words, s.String())
	}
	return Stage{}, "", fmt.Errorf("%s waits for %s: %w", q.ID, strings.Join(words, " and "), ErrNoVote)
}

// stageOf returns the stage that somebody may vote about by their own right.
func stageOf(q Request, who Voter, concern *string) (Stage, bool) {
	for _, s := range q.Waits() {
		if (concern == nil || s.Concern == *concern) && (q.Staged() && who.Reviews(s.Concern) || !q.Staged() && who.Whole) {
			return s, true
		}
	}
	return Stage{}, false
}
