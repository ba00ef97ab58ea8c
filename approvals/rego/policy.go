package rego

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
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
	query  rego.PreparedEvalQuery                 // judges
	advice func() (rego.PreparedEvalQuery, error) // prepares what advises when it is first asked, and not when a node starts
	rules  map[string]string
	tiers  tiersDoc
	names  []string // reserved ones that apps may have
	open   []string // classes of data of apps that may be open to everybody

	digest     approvals.Digest
	exemptions approvals.ExemptionRules
}

var _ approvals.Policy = (*Policy)(nil)

// New compiles the rules. The error says which file is wrong and where.
func New(ctx context.Context, o Options) (*Policy, error) {
	rules, err := readRules(o.Dir)
	if err != nil {
		return nil, err
	}
	p := &Policy{rules: rules, digest: digestOf(rules)}
	var data map[string]any
	if err := json.Unmarshal([]byte(rules["data.json"]), &data); err != nil {
		return nil, fmt.Errorf("%w: data.json: %w", approvals.ErrPolicy, err)
	}
	var typed struct {
		Names struct {
			Allow []string `json:"allow"`
		} `json:"names"`
		Audience struct {
			Public []string `json:"public"`
		} `json:"audience"`
	}
	typed.Audience.Public = []string{"public", "internal"} // where data.json is from before it said so
	if err := json.Unmarshal([]byte(rules["data.json"]), &typed); err != nil {
		return nil, fmt.Errorf("%w: data.json: %w", approvals.ErrPolicy, err)
	}
	if p.tiers, err = readTiers(data); err != nil {
		return nil, fmt.Errorf("%w: data.json: %w", approvals.ErrPolicy, err)
	}
	if err := checkStages(rules["data.json"]); err != nil {
		return nil, fmt.Errorf("%w: data.json: stages: %w", approvals.ErrPolicy, err)
	}
	if p.exemptions, err = readExemptions(rules["data.json"]); err != nil {
		return nil, fmt.Errorf("%w: data.json: exemptions: %w", approvals.ErrPolicy, err)
	}
	p.names, p.open = typed.Names.Allow, typed.Audience.Public
	compiler, err := compile(rules)
	if err != nil {
		return nil, err
	}
	store := inmem.NewFromObject(data)
	prepare := func(ctx context.Context, query string) (rego.PreparedEvalQuery, error) {
		asks := rego.New(rego.Query(query), rego.Compiler(compiler), rego.Store(store), rego.StrictBuiltinErrors(true), rego.SetRegoVersion(ast.RegoV1))
		prepared, err := asks.PrepareForEval(ctx)
		if err != nil {
			return prepared, fmt.Errorf("%w: the rules do not compile: %w", approvals.ErrPolicy, err)
		}
		return prepared, nil
	}
	if p.query, err = prepare(ctx, "findings := data.agora.findings; requires := data.agora.requires; stages := data.agora.stages"); err != nil {
		return nil, err
	}
	p.advice = sync.OnceValues(func() (rego.PreparedEvalQuery, error) {
		return prepare(context.Background(), "advice := data.agora.advice")
	})
	return p, nil
}

// compile reads and compiles rules, for all queries.
func compile(rules map[string]string) (*ast.Compiler, error) {
	modules := map[string]*ast.Module{}
	offered := capabilities()
	for name, text := range rules {
		if !strings.HasSuffix(name, ".rego") {
			continue
		}
		module, err := ast.ParseModuleWithOpts(name, text, ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: offered})
		if err != nil {
			return nil, fmt.Errorf("%w: the rules do not compile: %w", approvals.ErrPolicy, err)
		}
		modules[name] = module
	}
	compiler := ast.NewCompiler().WithCapabilities(offered).WithStrict(true).WithDefaultRegoVersion(ast.RegoV1)
	if compiler.Compile(modules); compiler.Failed() {
		return nil, fmt.Errorf("%w: the rules do not compile: %w", approvals.ErrPolicy, compiler.Errors)
	}
	return compiler, nil
}

// digestOf names rules by their texts and the names of their files.
func digestOf(rules map[string]string) approvals.Digest {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		fmt.Fprintf(sum, "%d %s %d %s", len(name), name, len(rules[name]), rules[name])
	}
	return approvals.Digest("sha256:" + hex.EncodeToString(sum.Sum(nil)))
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

// Evaluate judges a subject.
func (p *Policy) Evaluate(ctx context.Context, s approvals.Subject) (v approvals.Verdict, err error) {
	input, err := document(s)
	if err != nil {
		return v, err
	}
	sets, err := p.ask(ctx, p.query, input)
	if err != nil {
		return v, err
	}
	return verdict(sets, s, p.digest)
}

// ask evaluates a query, within the deadline.
func (p *Policy) ask(ctx context.Context, query rego.PreparedEvalQuery, input any) (map[string]any, error) {
	limited, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	results, err := query.Eval(limited, rego.EvalInput(input))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", approvals.ErrPolicy, err)
	}
	if len(results) != 1 {
		return nil, fmt.Errorf("%w: the rules have to define the sets data.agora.findings, data.agora.requires, data.agora.stages and data.agora.advice; take what is missing from this version's files if yours are older", approvals.ErrPolicy)
	}
	return results[0].Bindings, nil
}

// document is the input of the rules: a subject, or a brief.
func document[T approvals.Subject | approvals.Brief](s T) (any, error) {
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

// Allowance is what a tier allows without a decision.
func (p *Policy) Allowance(tier abi.Tier) approvals.Allowance {
	rules := p.tiers[tier]
	all := maps.Clone(rules.Allow)
	if all == nil {
		all = approvals.Allowance{}
	}
	for _, word := range rules.Capabilities {
		all[word] = nil
	}
	return all
}

// Tiers are what the rules say about each tier, from the lowest.
func (p *Policy) Tiers() (all []approvals.TierRules) {
	for _, tier := range abi.Tiers() {
		all = append(all, p.tiers[tier])
	}
	return all
}

// AllowsName reports whether the rules let an app have a name that is reserved otherwise.
func (p *Policy) AllowsName(name string) bool { return slices.Contains(p.names, name) }

// OpenToAll reports whether an app with data of a class may be open to everybody.
func (p *Policy) OpenToAll(classification string) bool {
	return slices.Contains(p.open, classification)
}

// Digest names the rules, as verdicts do.
func (p *Policy) Digest() approvals.Digest { return p.digest }

// Reach is the rule about which releases the grants of a tier reach.
func (p *Policy) Reach(tier abi.Tier) approvals.Reach { return p.tiers[tier].Grants.Reach }

// Life is the rule about how long the grants of a tier live.
func (p *Policy) Life(tier abi.Tier) approvals.Life { return p.tiers[tier].Grants.Life }

// Clocks are how long those have whose turn it is in a request about a tier.
func (p *Policy) Clocks(tier abi.Tier) approvals.Clocks { return p.tiers[tier].Clocks }

// Rules are the sources in force, by file name.
func (p *Policy) Rules() map[string]string { return maps.Clone(p.rules) }
