package agora_test

import (
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/agora-host/agora/"

// The import rule of the house. Each room may import the rooms named here and
// those below them in its own row; everything else fails this test.
//
//	abi < sdk
//	abi < registry, approvals, metering, access, secrets, triggers     siblings never import each other
//	domain < its own adapters
//	abi, domains < state
//	abi, domains, state < control, host/..., store    these three never import each other
//	control < web
//	all of these < node < cmd
var mayImport = map[string][]string{
	"abi":      {},
	"abi/wasm": {},
	// What a module says of itself is in one of its sections.
	"abi/source": {"abi/wasm"},
	"sdk":        {"abi", "sdk"},
	// What makes modules of scripts.
	"javascript":       {"abi", "script"},
	"python":           {"abi", "script", "host/engine"},
	"script":           {"abi"},
	"script/languages": {"abi", "script", "javascript", "python"},
	"script/isolate":   {"abi", "script", "javascript", "python", "internal/confine"},
	"examples":         {"abi", "sdk", "examples"},

	"registry":          {"abi", "internal/sentinel"},
	"notices":           {"abi"},
	"notices/outlet":    {"abi", "notices"},
	"registry/sigstore": {"abi", "registry", "internal/durable"},
	"approvals":         {"abi", "internal/sentinel"},
	"approvals/rego":    {"abi", "approvals"},
	"metering":          {"abi", "metering/journal", "internal/sheet", "internal/failpoint", "internal/calm", "internal/budget"},
	"metering/journal":  {"internal/failpoint", "internal/calm", "internal/budget"},
	"metering/fuel":     {"abi"},
	"access":            {"abi", "internal/sentinel"},
	"access/oidc":       {"access", "access/oidc"},
	"access/identity":   {"access", "internal/durable"},
	"state":             {"abi", "registry", "approvals", "notices", "access", "secrets", "triggers", "internal/calm"},
	"state/rights":      {"abi", "registry", "approvals"},
	"state/persons":     {"abi", "registry", "approvals", "notices", "access", "secrets", "triggers", "state"},
	"state/statetest":   {"abi", "registry", "approvals", "notices", "access", "secrets", "triggers", "state", "internal/calm"},
	"triggers":          {"abi", "internal/sentinel", "internal/calm", "internal/budget"},
	"secrets":           {"abi", "internal/durable"},

	// Conformance suites and their in-memory models.
	"abi/abitest":            {"abi"},
	"script/scripttest":      {"abi", "script", "host/engine"},
	"abi/wasm/wasmtest":      {"abi"},
	"metering/meteringtest":  {"abi", "metering", "internal/crashdisk"},
	"triggers/triggerstest":  {"abi", "triggers"},
	"metering/fuel/fueltest": {"abi", "metering/fuel"},
	// A mail server and a receiver of webhooks.
	"notices/outlet/outlettest": {},

	"host":                 {"abi", "access", "registry", "approvals", "metering", "secrets", "triggers", "state", "host", "internal/door", "internal/calm", "internal/budget", "internal/storage"},
	"host/engine":          {"abi", "registry", "metering", "host/engine", "internal/calm", "internal/budget", "internal/storage", "internal/confine"},
	"host/capability":      {"abi", "internal/calm", "internal/budget"},
	"host/gate":            {"abi", "access", "registry", "state", "internal/look"},
	"host/gateway":         {"abi", "registry", "internal/calm", "internal/budget"},
	"store":                {"internal/humanize", "abi", "registry", "approvals", "notices", "metering", "access", "secrets", "triggers", "state", "store/boltstore/checked", "internal/durable", "internal/calm", "internal/budget", "internal/storage"},
	"web":                  {"abi", "registry", "approvals", "notices", "metering", "access", "secrets", "triggers", "control", "web", "internal/door", "internal/look", "internal/humanize", "internal/sheet", "internal/calm", "internal/budget", "internal/storage"},
	"control":              {"abi", "registry", "approvals", "notices", "metering", "access", "secrets", "triggers", "state", "control", "internal/calm", "internal/humanize", "internal/budget", "internal/failpoint", "internal/storage"},
	"control/provisioning": {"access", "state", "control", "internal/sheet", "abi"},
	"node":                 {"abi", "javascript", "script", "registry", "approvals", "notices", "metering", "access", "secrets", "triggers", "state", "control", "host", "store", "web", "node", "internal/door", "internal/durable", "internal/humanize", "internal/calm", "internal/budget", "internal/failpoint", "internal/storage", "internal/certificates"},
	"cmd":                  {"abi", "control", "registry", "approvals", "notices", "metering", "access", "node", "host/engine", "javascript", "script", "sdk", "internal/humanize", "internal/calm", "internal/budget", "internal/contexts"},
	"internal/humanize":    {},
	"internal/look":        {},
	"internal/door":        {"abi", "internal/humanize", "internal/calm", "internal/budget"},
	"internal/durable":     {},
	"internal/sheet":       {},
	"internal/contexts":    {"internal/durable"},
	"internal/sentinel":    {},
	"internal/calm":        {},
	"internal/confine":     {},
	"internal/budget":      {},
	"internal/storage":     {},

	// The file that typed stores stand on knows none of their types.
	"store/boltstore/checked": {"abi", "internal/durable", "internal/calm", "internal/storage"},

	// The only one that asks an ACME directory.
	"internal/certificates": {"internal/durable"},

	// For tests alone.
	"internal/certificates/certtest": {},
	"internal/crashdisk":             {},
	"internal/siege":                 {},
	"internal/strace":                {"internal/crashdisk"},

	// Where tests end the process; see its doc.
	"internal/failpoint": {},
	// How tests damage files.
	"internal/spoil": {},
	"":               {}, // the module's root holds only tests
}

// Adapters are reached by their composer alone: a domain's big dependency stays
// behind its door.
var onlyFrom = map[string][]string{
	"registry/sigstore": {"registry/sigstore", "node", "cmd"},
	"approvals/rego":    {"approvals/rego", "node", "cmd"},
	"metering/fuel":     {"metering/fuel", "host", "node", "cmd"},
	"access/oidc":       {"access/oidc", "node", "cmd"},
	"notices/outlet":    {"notices/outlet", "node"},
	"access/identity":   {"access/identity", "node"},
	"node":              {"node", "cmd"},
	"store":             {"store", "node"},
	"web":               {"web", "node"},

	"store/boltstore/checked": {"store/boltstore", "node"},

	// The services of control, in their order: each is imported by those after it alone.
	"control/people":       {"control/people", "control/provisioning", "control/apps", "control/governance", "control/publishing", "node"},
	"control/apps":         {"control/apps", "control/governance", "control/publishing", "control/revisions", "node"},
	"control/governance":   {"control/governance", "control/publishing", "node"},
	"control/publishing":   {"control/publishing", "node"},
	"control/provisioning": {"control/provisioning", "node"},
	"control/revisions":    {"control/revisions", "node"},
	"control/inbox":        {"control/inbox", "node"},
}

// One big dependency, one door.
var oneDoor = map[string]string{
	"github.com/tetratelabs/wazero":    "host/engine",
	"github.com/evanw/esbuild":         "javascript",
	"github.com/sigstore/":             "registry/sigstore",
	"github.com/digitorus/":            "registry/sigstore",
	"github.com/secure-systems-lab/":   "registry/sigstore",
	"github.com/open-policy-agent/opa": "approvals/rego",
	"go.etcd.io/bbolt":                 "store/boltstore/checked",
	"github.com/labstack/echo":         "web/api",
	"github.com/coreos/go-oidc":        "access/oidc",
	"golang.org/x/oauth2":              "access/oidc",
	"github.com/zitadel/":              "access/oidc/oidctest",
	"github.com/wneessen/go-mail":      "notices/outlet",
	"github.com/emersion/":             "notices/outlet/outlettest",
	"github.com/spf13/cobra":           "cmd/agora",
	"github.com/pelletier/go-toml":     "registry",
	"github.com/landlock-lsm/":         "internal/confine",
	"github.com/elastic/":              "internal/confine",
	"golang.org/x/crypto/acme":         "internal/certificates",
}

// What abi imports is in every guest: what is large, or works before main does,
// stays out.
var notInGuests = []string{"regexp", "net", "net/http", "net/url", "text/template", "html/template", "golang.org/x/"}

type goPackage struct {
	imports map[string]string // path to the file that imports it; tests left out
	hasDoc  bool
}

func packages(t *testing.T) map[string]*goPackage {
	t.Helper()
	found := map[string]*goPackage{}
	err := filepath.WalkDir(".", func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || entry.Name() == "bin" || entry.Name() == "data") {
			return filepath.SkipDir
		}
		if _, err := os.Stat(filepath.Join(path, "go.mod")); entry.IsDir() && path != "." && err == nil {
			return filepath.SkipDir // another module: the benchmarks
		}
		if entry.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		if dir == "." {
			dir = ""
		}
		p := found[dir]
		if p == nil {
			p = &goPackage{imports: map[string]string{}}
			found[dir] = p
		}
		if strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		p.hasDoc = p.hasDoc || (entry.Name() == "doc.go" && file.Doc != nil)
		for _, spec := range file.Imports {
			p.imports[strings.Trim(spec.Path.Value, `"`)] = path
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// room is the longest entry of the table that a directory lies in.
func room(dir string) string {
	best := ""
	for r := range mayImport {
		if r != "" && (dir == r || strings.HasPrefix(dir, r+"/")) && len(r) > len(best) {
			best = r
		}
	}
	return best
}

func within(dir string, rooms []string) bool {
	return slices.ContainsFunc(rooms, func(r string) bool { return dir == r || strings.HasPrefix(dir, r+"/") })
}

// violation says what is wrong with one import, or "".
func violation(dir, imported string) string {
	for prefix, door := range oneDoor {
		if strings.HasPrefix(imported, prefix) && dir != door {
			return "only " + door + " may import it"
		}
	}
	for _, heavy := range notInGuests {
		if dir == "abi" && (imported == heavy || strings.HasSuffix(heavy, "/") && strings.HasPrefix(imported, heavy)) {
			return "it would be in every guest"
		}
	}
	target, ours := strings.CutPrefix(imported, module)
	if !ours || target == dir {
		return ""
	}
	if only, ok := onlyFrom[target]; ok && !within(dir, only) {
		return "it is reached only from " + strings.Join(only, ", ")
	}
	from := room(dir)
	if within(target, mayImport[from]) {
		return ""
	}
	if from == "" {
		return "this directory is in no room"
	}
	return from + " may import " + strings.Join(mayImport[from], ", ") + " and nothing else of this module"
}

func TestImportRule(t *testing.T) {
	for dir, p := range packages(t) {
		for imported, file := range p.imports {
			if why := violation(dir, imported); why != "" {
				t.Errorf("%s imports %s: %s", file, imported, why)
			}
		}
	}
}

// TestImportRuleCanFail keeps the rule honest: each of these must be refused.
func TestImportRuleCanFail(t *testing.T) {
	for _, c := range []struct{ dir, imported string }{
		{"abi", module + "registry"},                          // the leaf stays a leaf
		{"registry", module + "approvals"},                    // siblings
		{"registry", module + "registry/sigstore"},            // a domain and its adapter
		{"registry", module + "state"},                        // a domain and the union of all
		{"state", module + "node"},                            // the contract and who keeps to it
		{"control/apps", module + "control/governance"},       // a service and one after it
		{"web", module + "state"},                             // the doors and the store behind them
		{"host/engine", module + "host/gateway"},              // adapters among themselves
		{"host", module + "control"},                          // running and deciding
		{"host", module + "store/logstore"},                   // running and keeping
		{"host", module + "web/problem"},                      // running and the doors in front
		{"web/console", module + "node"},                      // nobody imports the composer
		{"host/gateway", "github.com/tetratelabs/wazero/api"}, // one door
		{"cmd/agora", "go.etcd.io/bbolt"},                     // one door, for the command too
		{"abi", "regexp"},                                     // it would be in every guest
		{"sdk/client", module + "registry"},                   // a client sees the wire only
		{"internal/storage", module + "registry"},             // words that belong to no domain

		{"store/boltstore", "go.etcd.io/bbolt"},                 // typed stores and what they stand on
		{"store/boltstore/checked", module + "registry"},        // bytes and their types
		{"store/filestore", module + "store/boltstore/checked"}, // adapters among themselves
	} {
		if violation(c.dir, c.imported) == "" {
			t.Errorf("%s may import %s, and must not", c.dir, c.imported)
		}
	}
}

func TestEveryPackageSaysWhatItOwns(t *testing.T) {
	found := packages(t)
	for _, dir := range slices.Sorted(maps.Keys(found)) {
		if dir != "" && !found[dir].hasDoc {
			t.Errorf("%s has no doc.go with a package comment: say what it owns, its invariants, what it must not know, and its concurrency rule", dir)
		}
	}
}
