package approvals

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/agora-host/agora/abi"
)

// Used is what a release did with a capability, in all its calls.
type Used struct {
	abi.Use
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// UnmarshalJSON reads a use under the name that its meter has today.
func (u *Used) UnmarshalJSON(raw []byte) error {
	type plain Used
	if err := json.Unmarshal(raw, (*plain)(u)); err != nil {
		return err
	}
	u.Meter = abi.StoredMeter(u.Meter)
	return nil
}

// ReleaseUsed is what one release did.
type ReleaseUsed struct {
	App     string
	Release int
	Used    []Used
}

// maxUsed bounds how many subjects are kept apart for one release. The others
// are counted together.
const maxUsed = 256

// Same reports whether two are about the same thing.
func (u Used) Same(o Used) bool {
	return u.Capability == o.Capability && u.Meter == o.Meter && u.Subject == o.Subject
}

// MergeUsed adds what was used later to what is known. The order of neither
// matters; the result is sorted, each capability, meter and subject once.
func MergeUsed(known, more []Used) []Used {
	known = slices.Clone(known)
	for _, u := range more {
		i := slices.IndexFunc(known, u.Same)
		if i < 0 && len(known) >= maxUsed && u.Subject != abi.OtherSubject {
			u.Subject = abi.OtherSubject
			i = slices.IndexFunc(known, u.Same)
		}
		if i < 0 {
			known = append(known, u) // of others there are as many as capabilities have meters
			continue
		}
		k := &known[i]
		k.N += u.N
		if u.First.Before(k.First) {
			k.First = u.First
		}
		if u.Last.After(k.Last) {
			k.Last = u.Last
		}
	}
	slices.SortFunc(known, func(a, b Used) int {
		return cmp.Or(cmp.Compare(a.Capability, b.Capability), cmp.Compare(a.Meter, b.Meter), cmp.Compare(a.Subject, b.Subject))
	})
	return known
}

// UsedParams are a grant's parameters without what was not used: of a list, what
// is no subject of a use that was allowed. matches, if not nil, reports whether an
// element of a list stands for a subject; otherwise both must be equal. Numbers
// stay as they are.
func UsedParams(granted abi.Params, capability string, used []Used, matches func(name, element, subject string) bool) abi.Params {
	var subjects []string
	for _, u := range used {
		if u.Capability == capability && u.Meter != abi.MeterDenied {
			subjects = append(subjects, u.Subject)
		}
	}
	return granted.Filter(func(name, element string) bool {
		return slices.ContainsFunc(subjects, func(subject string) bool {
			if matches != nil {
				return matches(name, element, subject)
			}
			return element == subject
		})
	})
}
