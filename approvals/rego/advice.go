package rego

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/agora-host/agora/approvals"
)

// Advise returns what the rules advise a reviewer, the most careful first.
func (p *Policy) Advise(ctx context.Context, b approvals.Brief) (all []approvals.Advice, err error) {
	input, err := document(b)
	if err != nil {
		return nil, err
	}
	query, err := p.advice()
	if err != nil {
		return nil, err
	}
	sets, err := p.ask(ctx, query, input)
	if err != nil {
		return nil, err
	}
	list, ok := sets["advice"].([]any)
	if !ok || len(list) > maxFindings {
		return nil, fmt.Errorf("%w: data.agora.advice is no set, or has more than %d elements", approvals.ErrPolicy, maxFindings)
	}
	for _, item := range list {
		var a struct {
			Code  string            `json:"code"`
			Leans approvals.Leaning `json:"leans"`
			Msg   string            `json:"msg"`
		}
		raw, err := json.Marshal(item)
		if err == nil {
			err = json.Unmarshal(raw, &a)
		}
		if err != nil || a.Code == "" || a.Msg == "" || !slices.Contains(leanings, a.Leans) {
			return nil, fmt.Errorf("%w: a rule advises %.300s, which has no code, no msg, or does not lean to approve, look or reject", approvals.ErrPolicy, raw)
		}
		all = append(all, approvals.Advice{Code: a.Code, Leans: a.Leans, Message: a.Msg})
	}
	slices.SortFunc(all, func(a, b approvals.Advice) int {
		return cmp.Or(slices.Index(leanings, a.Leans)-slices.Index(leanings, b.Leans), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
	return all, nil
}

// leanings are all there are, the most careful first.
var leanings = []approvals.Leaning{approvals.LeansReject, approvals.LeansLook, approvals.LeansApprove}
