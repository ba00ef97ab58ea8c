package approvals

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/agora-host/agora/abi"
)

// TierRules are what the policy says about one tier, as data.
type TierRules struct {
	Tier abi.Tier `json:"tier"`
	// Capabilities are what every app has that declares it, whatever it asks of it.
	Capabilities []string `json:"capabilities"`
	// Allow is what every app has besides, within bounds, without a reviewer: the fast lane.
	Allow Allowance `json:"allow"`
	// Most are the greatest parameters that can be asked for at all, by capability.
	Most     map[string]map[string]int64 `json:"most"`
	Limits   SubjectLimits               `json:"limits"` // that a manifest may have
	Triggers TierTriggers                `json:"triggers"`
	// Grants says which releases a grant reaches, and how long it lives.
	Grants GrantRules `json:"grants"`
	// Metadata names what a manifest has to say: see MetadataFields.
	Metadata []string `json:"metadata"`
	// Audience is who may open an app for which no audience was set.
	Audience string `json:"audience"`
	// Clocks are how long those have whose turn it is in a request.
	Clocks Clocks `json:"clocks"`
}

// GrantRules are what a tier says about its grants.
type GrantRules struct {
	Reach
	Life
}

// Check reports what is wrong with them.
func (g GrantRules) Check() error { return errors.Join(g.Reach.Check(), g.Life.Check()) }

// TierTriggers bound what calls an app besides requests.
type TierTriggers struct {
	Crons     int   `json:"crons"`
	IntervalS int64 `json:"interval_s"` // at least between two runs, in seconds
	Webhooks  int   `json:"webhooks"`
	Events    int   `json:"events"` // subscriptions
}

// MetadataFields are what a tier may require. "shared" is an owner beside the owner: a co-owner or a group.
// Beside them "answers." and the name of a question requires an answer to it.
func MetadataFields() []string {
	return []string{"owner", "team", "cost_center", "data_classification", "description", "title", "expected_users", "monthly_cents", "shared"}
}

// Allowance is what a tier allows without a decision, by capability. A capability with nil Bounds is
// allowed whatever is asked of it.
type Allowance map[string]Bounds

// Bounds are the greatest parameters of one capability. What they do not name is not allowed.
type Bounds map[string]Bound

// Bound is the greatest value of one parameter: a number, words of a list, or any words. In JSON it is
// a number, a list of strings, or "*".
type Bound struct {
	Number int64
	Words  []string
	Any    bool // every word
}

// Allows reports whether a capability is allowed with all that is asked of it.
func (a Allowance) Allows(capability string, asked abi.Params) bool {
	bounds, ok := a[capability]
	if !ok || bounds == nil {
		return ok
	}
	for name, text := range asked {
		if b, named := bounds[name]; !named || !b.covers(capability, name, text) {
			return false
		}
	}
	return true
}

// Without returns the allowance without some of the capabilities that it bounds.
func (a Allowance) Without(words []string) Allowance {
	if len(words) == 0 {
		return a
	}
	less := maps.Clone(a)
	maps.DeleteFunc(less, func(word string, b Bounds) bool { return b != nil && slices.Contains(words, word) })
	return less
}

func (b Bound) covers(capability, name, text string) bool {
	if abi.NumberParam(name) {
		n, err := strconv.ParseInt(text, 10, 64)
		return err == nil && n <= b.Number
	}
	for _, word := range strings.Fields(text) {
		if !b.Any && !slices.ContainsFunc(b.Words, func(known string) bool { return known == word || standsFor(capability, name, known, word) }) {
			return false
		}
	}
	return true
}

// standsFor reports whether one origin of a list stands for another: "https://*.example.com" does for
// "https://api.example.com".
func standsFor(capability, name, known, word string) bool {
	if capability != "fetch" || name != "allow" {
		return false
	}
	wide, err := abi.ParseOriginPattern(known)
	one, errOne := abi.ParseOriginPattern(word)
	return err == nil && errOne == nil && !one.Wild && wide.Allows(one.Origin)
}

// UnmarshalJSON reads a number, a list of strings, or "*".
func (b *Bound) UnmarshalJSON(text []byte) error {
	*b = Bound{}
	var word string
	switch {
	case json.Unmarshal(text, &b.Number) == nil && b.Number >= 0:
		return nil
	case json.Unmarshal(text, &b.Words) == nil:
		return nil
	case json.Unmarshal(text, &word) == nil && word == "*":
		b.Any = true
		return nil
	}
	return fmt.Errorf(`%.80s is no bound: write a number, a list of words, or "*" for any words`, text)
}

// MarshalJSON writes what UnmarshalJSON reads.
func (b Bound) MarshalJSON() ([]byte, error) {
	switch {
	case b.Any:
		return []byte(`"*"`), nil
	case b.Words != nil:
		return json.Marshal(b.Words)
	}
	return json.Marshal(b.Number)
}
