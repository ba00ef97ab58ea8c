package abi

import "fmt"

// Tier is how far an app has come. Each tier has its own limits and gates.
type Tier string

const (
	TierSandbox    Tier = "sandbox"    // automatic once the rules pass
	TierPilot      Tier = "pilot"      // a first circle of users; reviewed
	TierProduction Tier = "production" // everybody; reviewed
)

// Tiers lists the tiers from the lowest to the highest.
func Tiers() []Tier { return []Tier{TierSandbox, TierPilot, TierProduction} }

// Rank orders tiers: 0 for the sandbox, -1 for a word that is no tier.
func (t Tier) Rank() int {
	for i, known := range Tiers() {
		if t == known {
			return i
		}
	}
	return -1
}

// ParseTier reads a tier's word.
func ParseTier(s string) (Tier, error) {
	if t := Tier(s); t.Rank() >= 0 {
		return t, nil
	}
	return "", fmt.Errorf("%q is no tier: use sandbox, pilot or production", s)
}
