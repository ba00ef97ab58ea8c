package rego

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
)

//go:embed rules/*
var embedded embed.FS

// deadline bounds one evaluation. The embedded rules take well under a
// millisecond.
const deadline = 2 * time.Second

// maxInput bounds the input document, and maxFindings what rules may answer. The bounds of a manifest
// are such that the embedded rules stay within both, whatever it says.
const (
	maxInput    = 256 << 10
	maxFindings = 500
)

// Options configure a policy.
type Options struct {
	// Dir holds *.rego files and perhaps a data.json. A file with the name of an
	// embedded one replaces it; others are added. Default: the embedded rules.
	Dir string
}

// Policy is a set of rules, ready to judge.
type Policy struct {
	query rego.PreparedEvalQuery
	rules map[string]string
	tiers map[abi.Tier]tierData
	names []string // reserved ones that apps may have
}

var _ approvals.Policy = (*Policy)(nil)

type tierData struct {
	Capabilities []string        `json:"capabilities"`
	Grants       approvals.Reach `json:"grants"` // strict if it is left out
}

// New compiles the rules. The error says which file is wrong and where.
func New(ctx context.Context, o Options) (*Policy, error) {
	rules, err := readRules(o.Dir)
	if err != nil {
		return nil, err
	}
	p := &Policy{rules: rules}
	var data map[string]any
	if err := json.Unmarshal([]byte(rules["data.json"]), &data); err != nil {
		return nil, fmt.Errorf("%w: data.json: %w", approvals.ErrPolicy, err)
	}
	var typed struct {
		Tiers map[abi.Tier]tierData `json:"tiers"`
		Names struct {
			Allow []string `json:"allow"`
		} `json:"names"`
	}
	if err := json.Unmarshal([]byte(rules["data.json"]), &typed); err != nil {
		return nil, fmt.Errorf("%w: data.json: %w", approvals.ErrPolicy, err)
	}
	p.tiers, p.names = typed.Tiers, typed.Names.Allow
	for _, tier := range abi.Tiers() {
		of, ok := p.tiers[tier]
		if !ok {
			return nil, fmt.Errorf("%w: data.json says nothing about the %s tier", approvals.ErrPolicy, tier)
		}
		if err := of.Grants.Check(); err != nil {
			return nil, fmt.Errorf("%w: data.json: grants of the %s tier: %w", approvals.ErrPolicy, tier, err)
		}
	}
	options := []func(*rego.Rego){
		rego.Query("findings := data.agora.findings; requires := data.agora.requires"), rego.Capabilities(capabilities()), rego.Strict(true), rego.StrictBuiltinErrors(true),
		rego.SetRegoVersion(ast.RegoV1), rego.Store(inmem.NewFromObject(data)),
	}
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		if strings.HasSuffix(name, ".rego") {
			options = append(options, rego.Module(name, rules[name]))
		}
	}
	if p.query, err = rego.New(options...).PrepareForEval(ctx); err != nil {
		return nil, fmt.Errorf("%w: the rules do not compile: %w", approvals.ErrPolicy, err)
	}
	return p, nil
}

func readRules(dir string) (map[string]string, error) {
	rules := map[string]string{}
	builtIn, err := fs.Sub(embedded, "rules")
	if err != nil {
		return nil, err
	}
	sources := []fs.FS{builtIn}
	if dir != "" {
		sources = append(sources, os.DirFS(dir))
	}
	for _, source := range sources {
		entries, err := fs.ReadDir(source, ".")
		if err != nil {
			return nil, fmt.Errorf("%w: read the rules: %w", approvals.ErrPolicy, err)
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), "_test.rego") || (!strings.HasSuffix(e.Name(), ".rego") && e.Name() != "data.json") {
				continue
			}
			text, err := fs.ReadFile(source, e.Name())
			if err != nil {
				return nil, fmt.Errorf("%w: read the rules: %w", approvals.ErrPolicy, err)
			}
			rules[e.Name()] = string(text)
		}
	}
	return rules, nil
}

// denied are built-in functions, or whole families of them (with a dot at the
// end), that rules may not use: they reach out, read a clock or dice, or make
// much out of little.
var denied = []string{
	"http.", "net.", "opa.", "time.now_ns", "rand.", "uuid.", "bits.lsh", "io.", "crypto.", "trace", "print", "numbers.range",
	"providers.", "rego.", "graph.reachable_paths", "strings.render_template", "walk", "internal.print", "regex.globs_match", "concat_n",
}

// capabilities is what OPA offers without what is denied.
func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool {
		return slices.ContainsFunc(denied, func(d string) bool {
			return b.Name == d || (strings.HasSuffix(d, ".") && strings.HasPrefix(b.Name, d))
		})
	})
	c.AllowNet = []string{}
	return c
}

// finding is a rule's answer.
type finding struct {
	Code     string       `json:"code"`
	Severity abi.Severity `json:"severity"`
	Msg      string       `json:"msg"`
	Path     string       `json:"path"`
	Subject  string       `json:"subject"`
	Remedy   abi.Remedy   `json:"remedy"`
}

// Evaluate judges a subject.
func (p *Policy) Evaluate(ctx context.Context, s approvals.Subject) (v approvals.Verdict, err error) {
	input, err := document(s)
	if err != nil {
		return v, err
	}
	limited, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	results, err := p.query.Eval(limited, rego.EvalInput(input))
	if err != nil {
		return v, fmt.Errorf("%w: %w", approvals.ErrPolicy, err)
	}
	if len(results) != 1 {
		return v, fmt.Errorf("%w: the rules have to define the sets data.agora.findings and data.agora.requires; take the latter from this version's agora.rego if yours is older", approvals.ErrPolicy)
	}
	if v.Findings, err = decode(results[0].Bindings["findings"]); err != nil {
		return approvals.Verdict{}, err
	}
	v.Requires, err = required(results[0].Bindings["requires"], s)
	return v, err
}

// document is the input of the rules.
func document(s approvals.Subject) (any, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", approvals.ErrPolicy, err)
	}
	if len(raw) > maxInput {
		return nil, fmt.Errorf("%w: the release describes itself with %d bytes, more than %d", approvals.ErrPolicy, len(raw), maxInput)
	}
	var input any
	if err := json.Unmarshal(raw, &input); err != nil {
		return nil, fmt.Errorf("%w: %w", approvals.ErrPolicy, err)
	}
	return input, nil
}

// required reads which capabilities have to be reviewed: what a release does not
// ask for cannot be.
func required(value any, s approvals.Subject) ([]string, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: data.agora.requires is no set", approvals.ErrPolicy)
	}
	var words []string
	for _, item := range list {
		word, ok := item.(string)
		if !ok || !slices.ContainsFunc(s.Asked, func(a approvals.SubjectAsked) bool { return a.Capability == word }) {
			return nil, fmt.Errorf("%w: data.agora.requires has %v, which is no capability that the release asks for", approvals.ErrPolicy, item)
		}
		words = append(words, word)
	}
	slices.Sort(words)
	return words, nil
}

func decode(value any) ([]abi.Finding, error) {
	list, ok := value.([]any)
	if !ok || len(list) > maxFindings {
		return nil, fmt.Errorf("%w: the rules answer with no set, or with more than %d findings", approvals.ErrPolicy, maxFindings)
	}
	findings := make([]abi.Finding, 0, len(list))
	for _, item := range list {
		raw, err := json.Marshal(item)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", approvals.ErrPolicy, err)
		}
		var f finding
		if err := json.Unmarshal(raw, &f); err != nil || f.Code == "" || f.Msg == "" {
			return nil, fmt.Errorf("%w: a rule answers %s, which is no finding", approvals.ErrPolicy, raw)
		}
		switch f.Severity {
		case abi.SeverityDeny, abi.SeverityReview, abi.SeverityNote:
		default:
			return nil, fmt.Errorf("%w: the rule %s has severity %q", approvals.ErrPolicy, f.Code, f.Severity)
		}
		findings = append(findings, abi.Finding{Code: f.Code, Severity: f.Severity, Message: f.Msg, Path: f.Path, Subject: f.Subject, Remedy: f.Remedy})
	}
	slices.SortFunc(findings, compare)
	return findings, nil
}

// compare puts what refuses first, and is total.
func compare(a, b abi.Finding) int {
	order := func(f abi.Finding) string {
		rank := map[abi.Severity]string{abi.SeverityDeny: "0", abi.SeverityReview: "1", abi.SeverityNote: "2"}[f.Severity]
		return rank + "\x00" + f.Code + "\x00" + f.Path + "\x00" + f.Message
	}
	return strings.Compare(order(a), order(b))
}

// DefaultCapabilities are what a tier gives without a grant.
func (p *Policy) DefaultCapabilities(tier abi.Tier) []string {
	return slices.Clone(p.tiers[tier].Capabilities)
}

// AllowsName reports whether the rules let an app have a name that is reserved otherwise.
func (p *Policy) AllowsName(name string) bool { return slices.Contains(p.names, name) }

// Reach is the rule about which releases the grants of a tier reach.
func (p *Policy) Reach(tier abi.Tier) approvals.Reach { return p.tiers[tier].Grants }

// Rules are the sources in force, by file name.
func (p *Policy) Rules() map[string]string { return maps.Clone(p.rules) }
