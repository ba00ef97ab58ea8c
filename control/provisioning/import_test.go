package provisioning_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/provisioning"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/persons"
	"github.com/agora-host/agora/state/statetest"
)

const root = "root@example.com"

// world is a service over a store in memory, with root for its operator.
type world struct {
	t     testing.TB
	store state.Store
	*provisioning.Service
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, store: persons.Over(statetest.Strict(t, statetest.NewMemory(time.Now)))}
	w.Service = provisioning.New(provisioning.Options{
		Desk: &control.Desk{Store: w.store, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Low: func() error { return nil }, Follow: func(context.Context, abi.Rev) error { return nil }},
		URL:  func(p string) string { return "http://localhost/scim/v2/" + p },
		Rules: func() access.RoleRules {
			return access.RoleRules{Providers: []string{"entra"}, Rules: []access.GroupRule{{Roles: []access.Role{access.RoleDeveloper}, Groups: []string{"makers"}}}}
		},
	})
	w.user(root, access.RoleOperator)
	return w
}

func (w *world) user(name string, roles ...access.Role) {
	w.t.Helper()
	u := access.User{ID: access.NewPersonID(), Name: name, Roles: roles}
	_, err := w.store.Update(context.Background(), "node", func(tx state.Tx) error {
		tx.Emit("user.changed", "", name, nil)
		_, err := access.ChangeUser(tx, u)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func as(name string, roles ...access.Role) context.Context {
	return access.WithActor(context.Background(), access.Actor{User: name, Roles: roles, Via: access.KindSession})
}

func (w *world) known(name string) (u access.User, p access.Provisioned) {
	w.t.Helper()
	err := w.store.View(context.Background(), func(tx state.Reader) (err error) {
		if u, err = tx.User(name); err == nil {
			p, err = tx.Provisioned(control.ImportProvider, name)
		}
		if errors.Is(err, access.ErrNotProvisioned) {
			err = nil
		}
		return err
	})
	if err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	return u, p
}

// bring previews a file, applies it if it can, and returns the plan in a few words.
func (w *world) bring(in control.PeopleImport) string {
	w.t.Helper()
	in.Format = "csv"
	if strings.HasPrefix(in.File, "[") {
		in.Format = "json"
	}
	before, _ := w.store.Rev(context.Background())
	ctx := as(root, access.RoleOperator)
	plan, err := w.ImportPeople(ctx, in)
	if err != nil {
		return "error: " + err.Error()
	}
	if after, _ := w.store.Rev(context.Background()); after != before || plan.Applied {
		w.t.Errorf("a preview changed something: %+v", plan)
	}
	in.Apply, in.Revision = true, plan.Revision
	done, err := w.ImportPeople(ctx, in)
	if err != nil || !done.Applied || done.Revision != plan.Revision {
		w.t.Errorf("applied: %+v, %v", done, err)
	}
	words := fmt.Sprintf("+%d ~%d -%d =%d !%d", plan.Added, plan.Changed, plan.Disabled, plan.Unchanged, plan.Conflicts)
	for _, r := range plan.Rows {
		words += fmt.Sprintf("\n%d %s %s %s%s", r.Line, r.What, r.Name, strings.Join(r.Changes, "; "), r.Why)
	}
	if plan.Ignored != nil {
		words += "\nignored " + strings.Join(plan.Ignored, ", ")
	}
	return words
}

// TestFiles: each way to write a file means the same people.
func TestFiles(t *testing.T) {
	for name, file := range map[string]string{
		"commas":      "user_name,external_id,display_name,roles,active\nada@example.com,k1,Ada,developer,yes\nbob@example.com,k2,Bob,,no\n",
		"semicolons":  "User Name;External ID;Display Name;Roles;Active\r\nada@example.com;k1;Ada;developer;TRUE\r\nbob@example.com;k2;Bob;;FALSE\r\n",
		"tabs, a BOM": "\ufeffE-Mail\tobjectId\tName\tRole\tEnabled\nada@example.com\tk1\tAda\tDeveloper\t1\nbob@example.com\tk2\tBob\t\t0\n",
		"quotes":      "\"userPrincipalName\",\"id\",\"full name\",\"role\",\"status\"\n\"ada@example.com\",\"k1\",\"Ada\",\"developer\",\"active\"\n\n,,,,\n\" bob@example.com \",\"k2\",\"Bob\",\"\",\"Disabled\"\n",
		"disabled":    "login,subject,name,roles,Disabled\nada@example.com,k1,Ada,developer,no\nbob@example.com,k2,Bob,,yes\n",
		"JSON":        `[{"userName":"ada@example.com","externalId":"k1","displayName":"Ada","roles":["developer"],"active":true},{"user_name":"bob@example.com","external_id":"k2","name":"Bob","roles":[],"active":false}]`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if got := w.bring(control.PeopleImport{File: file}); !strings.HasPrefix(got, "+2 ~0 -0 =0 !0") {
				t.Fatal(got)
			}
			ada, told := w.known("ada@example.com")
			bob, _ := w.known("bob@example.com")
			if !slices.Equal(ada.Roles, []access.Role{access.RoleDeveloper}) || ada.Disabled || told.External != "k1" || told.DisplayName != "Ada" || !bob.Disabled || len(bob.Roles) != 0 {
				t.Errorf("%+v %+v %+v", ada, told, bob)
			}
			if got := w.bring(control.PeopleImport{File: file}); got != "+0 ~0 -0 =2 !0" {
				t.Errorf("the same once more: %s", got)
			}
		})
	}
}

// TestImportPlan: a file that comes again says what it changes, whom it disables, and what does not fit
// and why; the rest is done.
func TestImportPlan(t *testing.T) {
	w := newWorld(t)
	w.user("old@example.com", access.RoleViewer)
	w.bring(control.PeopleImport{File: "user_name,external_id,title,roles\nada@example.com,k1,Countess,developer\nbob@example.com,k2,,\ncy@example.com,k3,,\ndan@example.com,k4,,\n"})
	got := w.bring(control.PeopleImport{Complete: true, File: `user_name,external_id,title,roles,shoe size,active
ada.king@example.com,k1,,reviewer developer,38,
bob@example.com,k2,,,,no
bob@example.com,k2,,,,
old@example.com,k5,,,,
new@example.com,k6,"=HYPERLINK(""x"")",,,
who@example.com,k7,,king,,
ada@example.com,k8,,,,
,k9,,,,
root@example.com,k10,,viewer,,
dan@example.com,k4,,,,maybe
`})
	want := `+0 ~2 -2 =0 !7
2 change ada.king@example.com name: ada@example.com → ada.king@example.com; user name: ada@example.com → ada.king@example.com; roles: developer → reviewer developer
3 disable bob@example.com active: true → false
4 conflict bob@example.com line 3 names the same person
5 change old@example.com linked to file
6 conflict new@example.com "=HYPERLINK(\"x\")" is a formula, which a spreadsheet would run
7 conflict who@example.com the user is not valid: there is no role "king"; use viewer, developer, reviewer, finance, auditor or operator
8 conflict ada@example.com ada@example.com was the name of ada.king@example.com, and stays theirs: the provider's person meets another
9 conflict  it has no user name
10 conflict root@example.com you cannot take the operator role from yourself; ask another operator: not allowed
11 conflict dan@example.com "maybe" does not say whether the person is active: write yes or no
0 disable cy@example.com not in the file
ignored shoe size`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	ada, told := w.known("ada.king@example.com")
	if told.Title != "Countess" || len(ada.Roles) != 2 {
		t.Errorf("what the file does not say is lost: %+v %+v", told, ada)
	}
	if boss, told := w.known(root); boss.Disabled || !boss.CanOperate() || told.Provider != "" {
		t.Errorf("a row that does not fit was done in part: %+v %+v", boss, told)
	}
	if dan, _ := w.known("dan@example.com"); dan.Disabled {
		t.Error("who is in the file in a row that does not fit is disabled")
	}
}

// TestBadFiles: what is no file of people is refused as a whole.
func TestBadFiles(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct{ file, says string }{
		"nothing":             {"", "no names of columns"},
		"a header alone":      {"user_name\n", "names 0 people"},
		"no user name":        {"name,roles\nAda,viewer\n", "no column has the user name"},
		"a column twice":      {"user_name,login\na@b.example,c@d.example\n", "mean the same"},
		"too few fields":      {"user_name,roles\na@b.example\n", "wrong number of fields"},
		"an open quote":       {"user_name\n\"a@b.example\n", "quote"},
		"UTF-16":              {"\xff\xfeu\x00s\x00e\x00r\x00", "UTF-8"},
		"no list":             {`[{"user_name":`, "no JSON list"},
		"more than a list":    {`[] []`, "no JSON list"},
		"an object in a cell": {`[{"user_name":{"a":1}}]`, "neither a text"},
		"two names":           {`[{"user_name":"a@b.example","login":"x"}]`, "two values"},
		"too many":            {"user_name\n" + strings.Repeat("a@b.example\n", control.MaxImportRows+1), "are taken"},
		"too large":           {"user_name\n" + strings.Repeat("x", control.MaxImport), "bytes"},
	} {
		if got := w.bring(control.PeopleImport{File: c.file}); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, c.says) {
			t.Errorf("%s: %.200s", name, got)
		}
	}
	if _, err := w.ImportPeople(as("ada@example.com", access.RoleDeveloper), control.PeopleImport{Format: "csv", File: "user_name\na@b.example\n"}); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("a developer imports: %v", err)
	}
}

// TestImportRevision: what is applied is what the preview showed, or nothing.
func TestImportRevision(t *testing.T) {
	w := newWorld(t)
	ctx := as(root, access.RoleOperator)
	in := control.PeopleImport{Format: "csv", File: "user_name,roles\nada@example.com,developer\n"}
	plan, err := w.ImportPeople(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	w.user("zoe@example.com") // which the file has nothing to do with
	w.user("ada@example.com", access.RoleReviewer)
	in.Apply, in.Revision = true, plan.Revision
	if _, err := w.ImportPeople(ctx, in); !errors.Is(err, control.ErrPrecondition) {
		t.Errorf("what changed meanwhile: %v", err)
	}
	if u, _ := w.known("ada@example.com"); !slices.Equal(u.Roles, []access.Role{access.RoleReviewer}) {
		t.Errorf("%+v", u)
	}
	in.Revision = ""
	if _, err := w.ImportPeople(ctx, in); !errors.Is(err, control.ErrPrecondition) {
		t.Errorf("without a preview: %v", err)
	}
	in.Apply = false
	if plan, err = w.ImportPeople(ctx, in); err != nil {
		t.Fatal(err)
	}
	w.user("yve@example.com")
	in.Apply, in.Revision = true, plan.Revision
	if _, err := w.ImportPeople(ctx, in); err != nil {
		t.Errorf("what changed meanwhile is of no concern: %v", err)
	}
	in.Complete = true // which is another plan
	if _, err := w.ImportPeople(ctx, in); !errors.Is(err, control.ErrPrecondition) {
		t.Errorf("another file than was shown: %v", err)
	}
}

// TestImportKeepsAnOperator: a file that leaves no operator does not fit in the row that would.
func TestImportKeepsAnOperator(t *testing.T) {
	w := newWorld(t)
	w.user("ada@example.com", access.RoleOperator)
	w.bring(control.PeopleImport{File: "user_name\nada@example.com\n"})
	ctx := as("zoe@example.com", access.RoleOperator) // the process itself, say
	if _, err := w.store.Update(context.Background(), "node", func(tx state.Tx) error {
		tx.Emit("user.changed", "", root, nil)
		_, err := access.ChangeUser(tx, access.User{Name: root})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, in := range []control.PeopleImport{
		{File: "user_name,active\nada@example.com,no\n"}, {File: "user_name,roles\nada@example.com,viewer\n"}, {File: "user_name\nbob@example.com\n", Complete: true},
	} {
		in.Format = "csv"
		plan, err := w.ImportPeople(ctx, in)
		if err != nil || plan.Conflicts != 1 || !strings.Contains(plan.Rows[len(plan.Rows)-1].Why, "last operator") {
			t.Errorf("%+v, %v", plan, err)
		}
	}
}
