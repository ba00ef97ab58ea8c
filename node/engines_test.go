package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi/source"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/javascript"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// TestOldEngines: a release keeps the engine that it was made with, everybody who reads it is told how that
// stands, and its owner is told when it is too old; of an engine that the node does not know, and of modules
// of other languages, nothing is said.
func TestOldEngines(t *testing.T) {
	const old, earlier, own = "quickjs-ng 0.15.0+aaaaaaaaaaaa", "quickjs-ng 0.16.2+bbbbbbbbbbbb", "quickjs-ng 0.16.2+cccccccccccc"
	n := start(t, func(o *node.Options) {
		o.Engines(control.Engines{
			{Version: old, Until: time.Now().Add(-control.EngineAge - time.Hour)}, {Version: earlier, Until: time.Now().Add(-control.EngineAge + time.Hour)}, {Version: own},
		})
	})
	made := func(app, version string) {
		t.Helper()
		n.publish(n.ada(), manifest(app), carries(t, says(app), source.Origin{Engine: javascript.EngineName, Version: version, Entry: "app.ts", Packages: true}))
	}
	made("shop", old)
	made("young", earlier)
	made("new", own)
	made("strange", "quickjs-ng 9.9.9+0123456789ab")
	n.publish(n.ada(), manifest("plain"), says("plain"))
	stands := func(app, standing string, findings int) {
		t.Helper()
		a, err := n.ada().App(t.Context(), app)
		r, err2 := n.ada().Release(t.Context(), app, 1)
		if err != nil || err2 != nil || (a.Engine == nil) != (standing == "") || (r.Engine == nil) != (standing == "") || len(a.Findings) != findings {
			t.Fatalf("%s: %+v, %+v, %+v, %v, %v", app, a.Engine, a.Findings, r.Engine, err, err2)
		}
		if a.Engine != nil && (a.Engine.Standing != standing || *a.Engine != *r.Engine || r.Outdated != (standing != "current")) {
			t.Errorf("%s: %+v, its release %+v, outdated: %v", app, a.Engine, r.Engine, r.Outdated)
		}
	}
	page := func(path string) string {
		return n.do("GET", n.ConsoleURL()+path, "", "Cookie", n.session(ada, access.RoleDeveloper)).Body
	}
	tooOld := func() (names []string) {
		t.Helper()
		apps, err := n.as(ops, access.RoleOperator).FindApps(t.Context(), client.AppSearch{OldEngine: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range apps {
			names = append(names, a.Name)
		}
		return names
	}
	stands("shop", "old", 1)
	stands("young", "earlier", 0)
	stands("plain", "", 0)
	stands("new", "current", 0)
	stands("strange", "unknown", 0)
	if names := tooOld(); len(names) != 1 || names[0] != "shop" {
		t.Errorf("old engines: %q", names)
	}
	if p := page("/apps/young"); strings.Contains(p, "engine.old") || !strings.Contains(p, "bbbbbbbbbbbb") {
		t.Error("an earlier version is said to be too old, or is not named")
	}
	for path, text := range map[string]string{"/apps/shop": "engine.old", "/apps/shop/releases/1": "it is too old", "/": "old engine", "/?old_engine=true": "engine: too old"} {
		if !strings.Contains(page(path), text) {
			t.Errorf("%s does not say %q", path, text)
		}
	}
	if _, err := n.as("nobody@example.com").FindApps(t.Context(), client.AppSearch{OldEngine: true}); problemOf(t, err).Status != 403 {
		t.Errorf("who has no role looks for old engines: %v", err)
	}
	if a, err := n.as("nobody@example.com").App(t.Context(), "shop"); err != nil || a.Engine != nil || a.Findings != nil {
		t.Errorf("who has no role is told %+v, %+v, %v", a.Engine, a.Findings, err)
	}
	if got := n.get(n.AppURL("shop")); got.Body != "shop" {
		t.Errorf("the app: %+v", got)
	}
	n.publish(n.ada(), manifest("shop"), says("again"))
	a, err := n.ada().App(t.Context(), "shop")
	if err != nil || len(a.Findings) != 0 || a.Engine != nil || len(tooOld()) != 0 {
		t.Errorf("deployed again: %+v, %+v, %v", a.Engine, a.Findings, err)
	}
}
