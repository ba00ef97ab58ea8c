package access_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/access"
)

func workloadRule(change ...func(*access.WorkloadRule)) access.WorkloadRule {
	r := access.WorkloadRule{
		ID: "deploy", Issuer: "https://token.actions.githubusercontent.com", Audience: "https://agora.example.com", Account: "deploy", Scopes: []access.Scope{access.ScopeAppsPublish},
		Claims: map[string]string{"repository_id": "100", "ref": "refs/heads/main"},
	}
	for _, f := range change {
		f(&r)
	}
	return r
}

// TestWorkloadRules: a rule that names what can become another's, or leaves open what anybody may choose who can
// push a branch, is refused with why.
func TestWorkloadRules(t *testing.T) {
	claims := func(pairs ...string) func(*access.WorkloadRule) {
		return func(r *access.WorkloadRule) {
			r.Claims = map[string]string{}
			for i := 0; i < len(pairs); i += 2 {
				r.Claims[pairs[i]] = pairs[i+1]
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*access.WorkloadRule)
		why    string // "": it is good
	}{
		"GitHub":               {func(*access.WorkloadRule) {}, ""},
		"an environment":       {claims("repository_owner_id", "7", "environment", "production"), ""},
		"GitLab":               {claims("project_id", "5", "ref", "main", "ref_type", "branch", "ref_protected", "true"), ""},
		"GitLab's environment": {claims("namespace_id", "5", "environment", "production", "environment_protected", "true"), ""},
		"another CI":           {claims("oidc.circleci.com/project-id", "5", "branch", "main"), ""},
		"sub":                  {claims("repository_id", "1", "ref", "refs/heads/main", "sub", "repo:acme/shop:ref:refs/heads/main"), `"sub" is a name`},
		"a name":               {claims("repository", "acme/shop", "ref", "refs/heads/main"), `"repository" is a name`},
		"a path":               {claims("project_path", "acme/shop", "project_id", "5", "ref_protected", "true"), `"project_path" is a name`},
		"no id":                {claims("ref", "refs/heads/main"), "no id of where"},
		"a run's id":           {claims("run_id", "1", "ref", "refs/heads/main"), "no id of where"},
		"a person's id":        {claims("actor_id", "1", "ref", "refs/heads/main"), "no id of where"},
		"no claims":            {claims(), "no id of where"},
		"no branch":            {claims("repository_id", "1"), "any branch"},
		"half a branch":        {claims("repository_id", "1", "ref", "main"), "is not whole"},
		"not protected":        {claims("project_id", "5", "ref", "main", "ref_type", "branch"), "any branch"},
		"a tag or a branch":    {claims("project_id", "5", "ref", "main", "ref_protected", "true"), "a tag can be called"},
		"an empty id":          {claims("repository_id", "", "ref", "refs/heads/main"), "has no value"},
		"a checked claim":      {claims("repository_id", "1", "ref", "refs/heads/main", "aud", "x"), "is checked of every token"},
		"no audience":          {func(r *access.WorkloadRule) { r.Audience = "" }, "no audience"},
		"no scopes":            {func(r *access.WorkloadRule) { r.Scopes = nil }, "no scopes"},
		"a backup":             {func(r *access.WorkloadRule) { r.Scopes = []access.Scope{access.ScopeBackupRead} }, "a backup"},
		"no such scope":        {func(r *access.WorkloadRule) { r.Scopes = []access.Scope{"apps:own"} }, "apps:own"},
		"a person":             {func(r *access.WorkloadRule) { r.Account = "ada@example.com" }, "a service account is named"},
		"plain http":           {func(r *access.WorkloadRule) { r.Issuer = "http://gitlab.example.com" }, "is not https"},
		"no issuer":            {func(r *access.WorkloadRule) { r.Issuer = "" }, "its issuer is an address"},
		"no rule's id":         {func(r *access.WorkloadRule) { r.ID = "A b" }, "its id is"},
	} {
		err := workloadRule(c.change).Check()
		switch {
		case c.why == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.why != "" && (!errors.Is(err, access.ErrWorkloadRule) || !strings.Contains(err.Error(), c.why)):
			t.Errorf("%s: %v, and not why: %s", name, err, c.why)
		}
	}
}

// TestWorkloadsMeetRulesExactly: a job meets a rule if all that the rule names is exactly so, and whatever else the
// job says changes nothing, but that it runs for a pull request.
func TestWorkloadsMeetRulesExactly(t *testing.T) {
	names := rapid.SampledFrom([]string{"repository_id", "ref", "environment", "sub", "event_name", "x"})
	values := rapid.SampledFrom([]string{"1", "2", "refs/heads/main", "push", "pull_request_target", ""})
	rapid.Check(t, func(t *rapid.T) {
		r := workloadRule(func(r *access.WorkloadRule) { r.Claims = rapid.MapOfN(names, values, 1, 4).Draw(t, "rule") })
		w := access.Workload{
			Issuer:   rapid.SampledFrom([]string{r.Issuer, r.Issuer + "/"}).Draw(t, "issuer"),
			Audience: rapid.SliceOfN(rapid.SampledFrom([]string{r.Audience, "https://other"}), 0, 2).Draw(t, "audience"),
			Claims:   rapid.MapOf(names, values).Draw(t, "job"),
		}
		if rapid.Bool().Draw(t, "for a pull request") {
			w.Claims["event_name"] = "pull_request_target"
		}
		if rapid.Bool().Draw(t, "meets the claims") {
			maps.Copy(w.Claims, r.Claims)
		}
		if rapid.Bool().Draw(t, "meets the rest") {
			w.Issuer, w.Audience = r.Issuer, []string{r.Audience}
		}
		want := w.Issuer == r.Issuer && len(w.Audience) == 1 && w.Audience[0] == r.Audience
		for claim, value := range r.Claims {
			got, ok := w.Claims[claim]
			want = want && ok && got == value
		}
		want = want && (r.Claims["event_name"] != "" || !strings.HasPrefix(w.Claims["event_name"], "pull_request"))
		if got := r.Unmet(w); (got == "") != want {
			t.Fatalf("%+v by %+v: %q", w, r, got)
		}
	})
}
