package node_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/agora-host/agora/access"
)

// TestPlaceholdersAreNotPublished by the API, whichever of them is left; nor is what the manual
// prints as an example, or what the rules' remedies say to write.
func TestPlaceholdersAreNotPublished(t *testing.T) {
	n := start(t)
	c, module := n.ada(), says("one")
	bundle := signAs(t, c, module)
	refused := func(text string, paths ...string) {
		t.Helper()
		_, err := c.Publish(t.Context(), []byte(text), module, bundle, nil)
		if err == nil {
			t.Fatalf("published:\n%s", text)
		}
		p := problemOf(t, err)
		var got []string
		for _, f := range p.Findings {
			if f.Code == "manifest.placeholder" && f.Remedy.Summary != "" {
				got = append(got, f.Path)
			}
		}
		if p.Status != 422 || strings.Join(got, " ") != strings.Join(paths, " ") {
			t.Errorf("%d %s: %v, want %v", p.Status, p.Detail, got, paths)
		}
		if _, err := c.CheckPolicy(t.Context(), []byte(text), module, ""); err == nil || problemOf(t, err).Detail != p.Detail {
			t.Errorf("the check of the policy says otherwise: %v", err)
		}
	}
	good := string(manifest("shop"))
	refused(strings.Replace(good, "shop", "my-app", 1), "name")
	refused(strings.Replace(good, "CC-1", "CC-0000", 1), "cost_center")
	refused(strings.NewReplacer("shop", "my-app", "CC-1", "<cost center>", "sales", "TODO").Replace(good), "name", "team", "cost_center")
	manual, err := os.ReadFile("../docs/manifest.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(manual), "```toml\n")
	example, _, _ = strings.Cut(example, "```")
	refused(example, "team", "cost_center")
	bare := strings.NewReplacer("CC-1", "", "sales", "").Replace(good)
	findings, err := c.CheckPolicy(t.Context(), []byte(bare), module, "")
	if err != nil || len(findings) != 2 {
		t.Fatalf("without a team and a cost center: %+v, %v", findings, err)
	}
	for _, f := range findings {
		empty := regexp.MustCompile(`(?m)^` + f.Path + ` = .*$`)
		bare = empty.ReplaceAllLiteralString(bare, f.Remedy.Commands[0])
	}
	refused(bare, "team", "cost_center")
	n.publish(n.as(ada, access.RoleDeveloper), []byte(good), module)
}
