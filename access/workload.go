package access

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

var (
	// ErrWorkloadRule: a rule by which workloads get tokens cannot be used.
	ErrWorkloadRule = errors.New("a rule by which workloads get tokens is not written well")
	// ErrExchange: a workload's token was not exchanged. Why is for the node's log: who asks is unknown.
	ErrExchange = errors.New("the token was not exchanged")
	// ErrIssuerDown: the issuer of a workload's token could not be asked for its keys.
	ErrIssuerDown = errors.New("the issuer of the token could not be asked for its keys")
	// ErrExchanges: too many tokens of one address were refused.
	ErrExchanges = errors.New("too many tokens were refused")
)

// WorkloadTokenLife is how long a token lives that was exchanged.
const WorkloadTokenLife = 15 * time.Minute

// WorkloadRule gives the jobs of a CI tokens of a service account: those of which the CI's own token, an OpenID
// Connect token of the issuer for the audience, has all the claims.
type WorkloadRule struct {
	ID       string `json:"id"` // names it in the feed and in lists of tokens
	Issuer   string `json:"issuer"`
	Audience string `json:"audience"` // that the CI's token is made for, and for nothing beside it
	// Claims by their exact values. One is the id of a repository, a project or their owner at least.
	Claims  map[string]string `json:"claims"`
	Account string            `json:"service_account"`
	Scopes  []Scope           `json:"scopes"` // of the token
	Apps    []string          `json:"apps"`   // the only ones that it reaches; none: all
	// Hosts are the issuer's hosts beside its own, if it has its keys elsewhere.
	Hosts []string `json:"hosts"`
}

// Workload is what a CI's token says of the job that has it.
type Workload struct {
	Issuer   string
	Audience []string
	ID       string    // of the token
	Until    time.Time // after which it cannot come again
	Claims   map[string]string
}

// Reach is what a rule's tokens may do.
func (r WorkloadRule) Reach() Reach { return Reach{Scopes: r.Scopes, Apps: r.Apps} }

var (
	ruleID = regexp.MustCompile(`\A[a-z0-9][a-z0-9-]{0,39}\z`)
	// named are claims that say a name, which can become another's.
	named = []string{"sub", "repository", "repository_owner", "actor", "project_path", "namespace_path", "user_login", "user_email", "name", "email", "preferred_username"}
	// checked are claims that are checked of every token.
	checkedClaims = []string{"iss", "aud", "exp", "iat", "nbf", "jti"}
	// passing are ids of one run or of who started it, which say nothing of whose code runs.
	passing = []string{"run_id", "job_id", "check_run_id", "pipeline_id", "runner_id", "actor_id", "user_id"}
)

// isHome reports whether a claim is an id of where code comes from.
func isHome(claim string) bool {
	return (strings.HasSuffix(claim, "_id") || strings.HasSuffix(claim, "-id")) && !slices.Contains(passing, claim)
}

// Check refuses a rule that names what can become another's, or leaves open what has to be said.
func (r WorkloadRule) Check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %q: %s", ErrWorkloadRule, r.ID, fmt.Sprintf(format, args...))
	}
	u, err := url.Parse(r.Issuer)
	switch {
	case !ruleID.MatchString(r.ID):
		return bad("its id is up to 40 of a-z, 0-9 and -, such as deploy-hello")
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return bad("its issuer is an address such as https://token.actions.githubusercontent.com, exactly as the tokens have it")
	case u.Scheme != "https" && !slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname()):
		return bad("its issuer %s is not https: tokens of it could be anybody's", r.Issuer)
	case r.Audience == "":
		return bad("it names no audience: write the console's address, and have the CI make its token for that")
	case len(r.Scopes) == 0:
		return bad("it names no scopes for its tokens, such as apps:publish")
	case slices.Contains(r.Scopes, ScopeBackupRead):
		return bad("a backup holds the node's keys, and is read with a token that a person made: leave %s out", ScopeBackupRead)
	}
	if err := r.Reach().Check(); err != nil {
		return bad("%s", err)
	}
	if _, err := ServiceAccountName(r.Account); err != nil {
		return bad("%s", err)
	}
	return r.checkClaims(bad)
}

func (r WorkloadRule) checkClaims(bad func(string, ...any) error) error {
	home := false
	for _, claim := range slices.Sorted(maps.Keys(r.Claims)) {
		switch {
		case slices.Contains(named, claim):
			return bad("the claim %q is a name, or is made of names: when a repository, a project or a person is renamed or deleted, another can take the name, and would be given the tokens. Require ids, such as repository_id or project_id", claim)
		case slices.Contains(checkedClaims, claim):
			return bad("the claim %q is checked of every token: leave it out", claim)
		case r.Claims[claim] == "":
			return bad("the claim %q has no value: claims are required by their exact values, and there are no patterns", claim)
		}
		home = home || isHome(claim)
	}
	if !home {
		return bad("it requires no id of where the code comes from: name repository_id (GitHub), project_id (GitLab) or an owner's repository_owner_id or namespace_id")
	}
	has := func(claim string) bool { return r.Claims[claim] != "" }
	switch {
	case has("repository_id") || has("repository_owner_id"):
		if !has("ref") && !has("environment") {
			return bad("any branch would be given tokens, of whoever may push one: require ref, such as refs/heads/main, or environment")
		}
		if has("ref") && !strings.HasPrefix(r.Claims["ref"], "refs/") {
			return bad("the ref %q is not whole: write refs/heads/main for a branch, refs/tags/v1 for a tag", r.Claims["ref"])
		}
	case has("project_id") || has("namespace_id"):
		if r.Claims["ref_protected"] != "true" && r.Claims["environment_protected"] != "true" {
			return bad(`any branch would be given tokens, of whoever may push one: require ref_protected "true", with ref and ref_type, or environment_protected "true", with environment`)
		}
		if has("ref") && !has("ref_type") {
			return bad("a tag can be called like the branch %q: require ref_type, branch or tag, as well", r.Claims["ref"])
		}
	}
	return nil
}

// Unmet returns what of a workload is not as a rule requires; "" if all is.
func (r WorkloadRule) Unmet(w Workload) string {
	switch {
	case w.Issuer != r.Issuer:
		return fmt.Sprintf("the issuer is %.80q", w.Issuer)
	case len(w.Audience) != 1 || w.Audience[0] != r.Audience:
		return fmt.Sprintf("the audience is %.120q, and has to be %q alone", w.Audience, r.Audience)
	}
	for _, claim := range slices.Sorted(maps.Keys(r.Claims)) {
		got, ok := w.Claims[claim]
		switch {
		case !ok:
			return fmt.Sprintf("the claim %s is missing, or is no text, number or flag", claim)
		case got != r.Claims[claim]:
			return fmt.Sprintf("the claim %s is %.80q, and has to be %q", claim, got, r.Claims[claim])
		}
	}
	// GitHub's tokens of pull_request_target have the ref that a pull request is to be merged into.
	if event := w.Claims["event_name"]; strings.HasPrefix(event, "pull_request") && r.Claims["event_name"] == "" {
		return fmt.Sprintf("it runs for a pull request, of anybody's (event_name is %.40q), and the rule does not require that", event)
	}
	return ""
}

// WorkloadRuleFor returns the first rule that a workload meets; otherwise an error says why it meets none of
// those for its issuer.
func WorkloadRuleFor(rules []WorkloadRule, w Workload) (WorkloadRule, error) {
	var why []string
	for _, r := range rules {
		unmet := r.Unmet(w)
		if unmet == "" {
			return r, nil
		}
		if r.Issuer == w.Issuer {
			why = append(why, r.ID+": "+unmet)
		}
	}
	if len(why) == 0 {
		return WorkloadRule{}, fmt.Errorf("no rule is for the issuer %.80q: %w", w.Issuer, ErrExchange)
	}
	return WorkloadRule{}, fmt.Errorf("it meets no rule (%s): %w", strings.Join(why, "; "), ErrExchange)
}

// Run says which run a workload is, by the ids of GitHub and GitLab; "" if it says none.
func (w Workload) Run() string {
	for _, ids := range [][2]string{{"run_id", "run_attempt"}, {"pipeline_id", "job_id"}} {
		if run := w.Claims[ids[0]]; run != "" {
			return PlainText(strings.TrimSuffix(run+"/"+w.Claims[ids[1]], "/"), 60)
		}
	}
	return ""
}

// spent is the hash under which a workload's token is remembered.
func (w Workload) spent() string {
	return Hash("agora workload " + url.QueryEscape(w.Issuer) + " " + w.ID)
}

// SpendWorkload stores a token of the rule's service account with that hash, and has the workload's token be
// spent: no transaction after this one takes it. One that comes a second time ends the token of the first, which
// ok reports, and the caller commits.
func SpendWorkload(tx Tx, w Workload, r WorkloadRule, reach Reach, hash string, now time.Time) (token Credential, ok bool, err error) {
	known, err := tx.CredentialByHash(w.spent())
	if err == nil {
		first, err := tx.CredentialByHash(known.Became)
		if errors.Is(err, ErrNotFound) {
			return token, false, nil
		}
		if err != nil {
			return token, false, err
		}
		return first, false, Revoke(tx, first)
	}
	if !errors.Is(err, ErrNotFound) {
		return token, false, err
	}
	u, err := FindServiceAccount(tx, r.Account)
	if err != nil {
		return token, false, err
	}
	if u.Disabled {
		return token, false, fmt.Errorf("%w: %s is disabled", ErrServiceAccount, u.Name)
	}
	if _, err := sponsorOf(tx, u); err != nil {
		return token, false, err
	}
	label := strings.TrimSpace("rule " + r.ID + " " + w.Run())
	token = Credential{ID: hash[:12], Hash: hash, Kind: KindToken, User: u.Name, Label: label, Reach: reach, Rule: r.ID, Created: now.UTC(), Expires: now.UTC().Add(WorkloadTokenLife)}
	spent := Credential{ID: w.spent()[:12], Hash: w.spent(), Kind: KindSpent, Created: now.UTC(), Expires: w.Until.UTC(), Became: hash}
	return token, true, errors.Join(AddCredential(tx, token, now), tx.PutCredential(spent))
}
