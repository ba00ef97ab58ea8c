package rego

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
)

// stages reads data.agora.stages.
func stages(value any) ([]approvals.Stage, error) {
	list, ok := value.([]any)
	if !ok || len(list) > maxFindings {
		return nil, fmt.Errorf("%w: data.agora.stages is no set, or has more than %d elements", approvals.ErrPolicy, maxFindings)
	}
	var all []approvals.Stage
	for _, item := range list {
		raw, err := json.Marshal(item)
		var s approvals.Stage
		if err == nil {
			s, err = readStage(raw)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: data.agora.stages has %.300s: %w", approvals.ErrPolicy, raw, err)
		}
		all = append(all, s)
	}
	all, err := approvals.InOrder(all)
	if err != nil {
		return nil, fmt.Errorf("%w: data.agora.stages: %w", approvals.ErrPolicy, err)
	}
	return all, nil
}

// readStage reads one stage. A word that it has by mistake is an error: a stage that is misspelt would
// ask for less than its author meant.
func readStage(raw []byte) (s approvals.Stage, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("a stage has concern, need and order: %w", err)
	}
	return s, s.Check()
}

// checkStages returns an error unless the stages that data.json names, if it does, are valid, so that a
// mistake is found when the rules are read and not at the next promotion.
func checkStages(data string) error {
	var typed struct {
		Stages map[abi.Tier][]json.RawMessage `json:"stages"`
	}
	if err := json.Unmarshal([]byte(data), &typed); err != nil {
		return err
	}
	for _, tier := range slices.Sorted(maps.Keys(typed.Stages)) {
		if !slices.Contains(abi.Tiers(), tier) {
			return fmt.Errorf("there is no tier %.60q", tier)
		}
		for _, raw := range typed.Stages[tier] {
			if _, err := readStage(raw); err != nil {
				return fmt.Errorf("of the %s tier: %w", tier, err)
			}
		}
	}
	return nil
}
