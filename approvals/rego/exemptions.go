package rego

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agora-host/agora/approvals"
)

// readExemptions reads what data.json says about exemptions. A document that says nothing exempts nobody.
func readExemptions(data string) (rules approvals.ExemptionRules, err error) {
	var typed struct {
		Exemptions *approvals.ExemptionRules `json:"exemptions"`
	}
	if err := json.Unmarshal([]byte(data), &typed); err != nil || typed.Exemptions == nil {
		return rules, err
	}
	rules = *typed.Exemptions
	if rules.Days < 1 || rules.Days > approvals.MostExemptionDays {
		return rules, fmt.Errorf("days is 1 to %d, not %d", approvals.MostExemptionDays, rules.Days)
	}
	for _, code := range slices.Sorted(maps.Keys(rules.Rules)) {
		if !slices.Contains(approvals.Concerns(), rules.Rules[code]) {
			return rules, fmt.Errorf("the reviewers of the rule %.60q are of one of %s, not of %.60q", code, strings.Join(approvals.Concerns(), ", "), rules.Rules[code])
		}
	}
	return rules, nil
}

// Exemptions are what the rules say about exemptions.
func (p *Policy) Exemptions() approvals.ExemptionRules { return p.exemptions }
