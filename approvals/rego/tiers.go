package rego

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
)

// audiences are the words for who may open an app.
var audiences = []string{"owner", "people", "organisation", "public"}

// question is an answer that a tier requires.
var question = regexp.MustCompile(`^answers\.[a-z][a-z0-9_]{0,39}$`)

// tiersDoc is the document data.tiers: what the rules say about each tier, as data.
type tiersDoc map[abi.Tier]approvals.TierRules

// readTiers reads and checks data.tiers. The rules read what it returns: what an older document does
// not have is filled in.
func readTiers(data map[string]any) (tiersDoc, error) {
	given, ok := data["tiers"].(map[string]any)
	if !ok {
		return nil, errors.New(`it has no "tiers": copy them from agora policy show and change what you need`)
	}
	tiers := tiersDoc{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		tier := abi.Tier(name)
		if tier.Rank() < 0 {
			return nil, fmt.Errorf("tiers.%s is no tier: there are sandbox, pilot and production", name)
		}
		one, ok := given[name].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("tiers.%s is no object", name)
		}
		rules, err := readTier(tier, one)
		if err != nil {
			return nil, fmt.Errorf("tiers.%s.%w", name, err)
		}
		tiers[tier] = rules
	}
	for _, tier := range abi.Tiers() {
		if _, ok := tiers[tier]; !ok {
			return nil, fmt.Errorf("it says nothing about the %s tier: copy tiers.%s from agora policy show", tier, tier)
		}
	}
	return tiers, nil
}

// readTier reads one tier. Its errors begin with the key that is wrong.
func readTier(tier abi.Tier, given map[string]any) (t approvals.TierRules, err error) {
	if _, ok := given["metadata"]; !ok {
		given["metadata"] = metadataOf(tier)
	}
	known := keysOf(reflect.TypeFor[approvals.TierRules]())
	for key, value := range given {
		if !slices.Contains(known, key) || key == "tier" {
			return t, fmt.Errorf("%s is not known: write one of %s; data of your own rules stands beside \"tiers\"", key, strings.Join(slices.DeleteFunc(known, func(k string) bool { return k == "tier" }), ", "))
		}
		if err := strictly(key, value, &t); err != nil {
			return t, err
		}
	}
	t.Tier = tier
	return t, errors.Join(checkTier(t))
}

// strictly reads one key into the field that is named like it.
func strictly(key string, value any, into *approvals.TierRules) error {
	raw, err := json.Marshal(map[string]any{key: value})
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%s: %s", key, strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// keysOf are the names of a struct's fields in JSON.
func keysOf(t reflect.Type) (keys []string) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		keys = append(keys, name)
	}
	return keys
}

// metadataOf is what a tier requires whose document does not say it.
func metadataOf(tier abi.Tier) []any {
	fields := []any{"owner", "team", "cost_center", "data_classification"}
	if tier.Rank() >= abi.TierPilot.Rank() {
		fields = append(fields, "description")
	}
	if tier == abi.TierProduction {
		fields = append(fields, "title")
	}
	return fields
}

// checkTier returns the first thing that is wrong with a tier.
func checkTier(t approvals.TierRules) error {
	if err := t.Grants.Check(); err != nil {
		return fmt.Errorf("grants: %w", err)
	}
	if err := t.Clocks.Check(); err != nil {
		return fmt.Errorf("clocks: %w", err)
	}
	if t.Audience != "" && !slices.Contains(audiences, t.Audience) {
		return fmt.Errorf("audience is one of %s, not %q", strings.Join(audiences, ", "), t.Audience)
	}
	for _, field := range t.Metadata {
		if !slices.Contains(approvals.MetadataFields(), field) && !question.MatchString(field) {
			return fmt.Errorf("metadata knows %s and answers.NAME, not %q", strings.Join(approvals.MetadataFields(), ", "), field)
		}
	}
	for f, v := range reflect.ValueOf(t.Limits).Fields() {
		if v.IsZero() || v.CanInt() && v.Int() < 0 {
			return fmt.Errorf("limits.%s is missing or not above 0: write the most that an app of the tier may have", f.Tag.Get("json"))
		}
	}
	for _, word := range t.Capabilities {
		if _, ok := abi.CapabilityNamed(word); !ok {
			return fmt.Errorf("capabilities: there is no capability %q", word)
		}
	}
	return errors.Join(checkMost(t.Most), checkAllow(t))
}

func checkMost(most map[string]map[string]int64) error {
	for _, word := range slices.Sorted(maps.Keys(most)) {
		c, ok := abi.CapabilityNamed(word)
		if !ok {
			return fmt.Errorf("most: there is no capability %q", word)
		}
		for name, n := range most[word] {
			if !slices.Contains(c.Params, name) || !abi.NumberParam(name) || n < 0 {
				return fmt.Errorf("most.%s.%s is no number that %s has; it has %s", word, name, word, numbersOf(c))
			}
		}
	}
	return nil
}

func numbersOf(c abi.Capability) string {
	names := slices.DeleteFunc(slices.Clone(c.Params), func(name string) bool { return !abi.NumberParam(name) })
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// checkAllow checks what a tier allows without a reviewer. Each number has a greatest: one that was
// forgotten would allow nothing, or all.
func checkAllow(t approvals.TierRules) error {
	for _, word := range slices.Sorted(maps.Keys(t.Allow)) {
		c, ok := abi.CapabilityNamed(word)
		bounds := t.Allow[word]
		switch {
		case !ok:
			return fmt.Errorf("allow: there is no capability %q", word)
		case bounds == nil:
			return fmt.Errorf("allow.%s is null: write the greatest of each parameter, {} for none, or leave it out", word)
		}
		for _, name := range slices.Sorted(maps.Keys(bounds)) {
			if err := checkBound(c, name, bounds[name], t.Most[word]); err != nil {
				return fmt.Errorf("allow.%s.%w", word, err)
			}
		}
		for _, name := range c.Params {
			if _, ok := bounds[name]; !ok && abi.NumberParam(name) {
				return fmt.Errorf("allow.%s does not say the greatest %s: add %q, or leave %s out, and a reviewer decides", word, name, name, word)
			}
		}
	}
	return nil
}

func checkBound(c abi.Capability, name string, b approvals.Bound, most map[string]int64) error {
	number := !b.Any && b.Words == nil
	switch limit, bounded := most[name]; {
	case !slices.Contains(c.Params, name):
		return fmt.Errorf("%s is not known: %s has %s", name, c.Name, strings.Join(c.Params, ", "))
	case abi.NumberParam(name) != number:
		if number {
			return fmt.Errorf(`%s is a list: write ["…"], or "*" for any`, name)
		}
		return fmt.Errorf("%s is a number", name)
	case number && bounded && b.Number > limit:
		return fmt.Errorf("%s is %d, more than the %d that the tier's \"most\" lets be asked for", name, b.Number, limit)
	}
	if c.Name == "fetch" && name == "allow" {
		for _, text := range b.Words {
			if p, err := abi.ParseOriginPattern(text); err != nil {
				return fmt.Errorf("%s: %q %w", name, text, err)
			} else if p.String() != text {
				return fmt.Errorf("%s: write %q as %q", name, text, p)
			}
		}
	}
	return nil
}
