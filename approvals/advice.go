package approvals

import "slices"

// Brief is what the policy advises a reviewer about: what it judges, with what differs from the last release
// that was approved, who may open the app, and what was measured of it. Its JSON form is the `input`
// document of the rules that advise.
type Brief struct {
	Subject
	Review SubjectReview `json:"review"`
}

// SubjectReview is what is known of a release beside itself.
type SubjectReview struct {
	Since    int      `json:"since"`    // the release that it is compared with; 0: there is none
	Wider    []string `json:"wider"`    // paths of changes that let it do more
	Narrower []string `json:"narrower"` // and less
	Same     bool     `json:"same"`     // the module is the same
	Audience string   `json:"audience"` // the kind of people who may open it in the tier: see access.AudienceKind
	Days     int      `json:"days"`     // that Calls and Failed were counted in
	Calls    uint64   `json:"calls"`    // of the release, in whatever tier
	Failed   uint64   `json:"failed"`   // of them
	Unused   []string `json:"unused"`   // capabilities that it declares and has never used
}

// Leaning is what an advice speaks for.
type Leaning string

// The leanings of advice, from the least to the most careful.
const (
	LeansApprove Leaning = "approve"
	LeansLook    Leaning = "look" // at this first
	LeansReject  Leaning = "reject"
)

// Advice is a reason of the policy for one decision or the other. Nothing follows from it: people decide.
type Advice struct {
	Code    string  `json:"code"` // of the rule
	Leans   Leaning `json:"leans"`
	Message string  `json:"message"`
}

// Recommend returns what all advice together speaks for: the most careful of it; "" if there is none.
func Recommend(all []Advice) Leaning {
	for _, leaning := range []Leaning{LeansReject, LeansLook, LeansApprove} {
		if slices.ContainsFunc(all, func(a Advice) bool { return a.Leans == leaning }) {
			return leaning
		}
	}
	return ""
}
