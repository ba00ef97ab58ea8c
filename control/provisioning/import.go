package provisioning

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

// mostTries is how often an import is tried without the rows that did not fit the time before.
const mostTries = 10

// errPreview ends a transaction whose effects were wanted for the preview alone.
var errPreview = errors.New("it is a preview")

// ImportPeople says what a file would change or, with Apply, changes it: what the preview of that
// revision said, or nothing. The preview does what applying does, and takes it back.
func (s *Service) ImportPeople(ctx context.Context, in control.PeopleImport) (plan control.ImportPlan, err error) {
	actor, err := s.desk.Door(ctx, access.ManagePerson)
	if err != nil {
		return plan, err
	}
	in.Provider = cmp.Or(in.Provider, control.ImportProvider)
	if err := access.CheckProvider(in.Provider); err != nil {
		return plan, err
	}
	if in.Apply && in.Revision == "" {
		return plan, fmt.Errorf("%w: look at the preview first, and name its revision", control.ErrPrecondition)
	}
	rows, ignored, err := readFile(in)
	if err != nil {
		return plan, err
	}
	im := &importing{s: s, in: in, rows: rows, actor: actor}
	for range rows {
		im.fresh = append(im.fresh, access.NewPersonID())
	}
	for range mostTries {
		if err = im.try(ctx, in.Apply && im.settled); !errors.Is(err, errPreview) {
			break
		}
		if im.settled && !in.Apply {
			err = nil
			break
		}
	}
	plan = im.plan
	plan.Ignored, plan.Applied = ignored, in.Apply && err == nil
	if errors.Is(err, errPreview) {
		err = badFile("its rows do not come to rest: apply a part of them first")
	}
	return plan, err
}

// importing is one import.
type importing struct {
	s     *Service
	in    control.PeopleImport
	rows  []row
	actor access.Actor
	fresh []string // an id for each row, if the person is new

	plan    control.ImportPlan // of the last try
	settled bool               // the last try met nothing that it had not left out
}

// try does all rows but those that are known not to fit, and finds more of those. It takes back what
// it did unless it is to stay and all of it fits.
func (im *importing) try(ctx context.Context, stay bool) error {
	wrong := make([]string, len(im.rows))
	_, err := im.s.desk.Update(ctx, im.actor.User, func(tx state.Tx) error {
		im.plan = control.ImportPlan{Provider: im.in.Provider, Rows: []control.ImportRow{}}
		if err := im.s.known(tx, im.in.Provider, im.actor.User); err != nil {
			return err
		}
		im.settled = true
		named := map[string]bool{}
		for i, r := range im.rows {
			wrong[i] = r.wrong
			if err := im.do(tx, i, named, &wrong[i]); err != nil {
				return err
			}
			im.settled = im.settled && wrong[i] == r.wrong
		}
		if im.in.Complete {
			if err := im.endOthers(tx, named); err != nil {
				return err
			}
		}
		im.plan.Revision = strings.Trim(control.Tag([]any{im.plan.Provider, im.in.Complete, im.plan.Rows}), `"`)
		switch {
		case !stay || !im.settled:
			return errPreview
		case im.plan.Revision != im.in.Revision:
			return fmt.Errorf("what the file changes is not what its preview showed: look at it again: %w", control.ErrPrecondition)
		case im.plan.Added+im.plan.Changed+im.plan.Disabled == 0:
			return errSame
		}
		tx.Emit("people.imported", "", im.in.Provider, map[string]string{
			"added": strconv.Itoa(im.plan.Added), "changed": strconv.Itoa(im.plan.Changed), "disabled": strconv.Itoa(im.plan.Disabled),
		})
		return nil
	})
	for i := range im.rows {
		im.rows[i].wrong = wrong[i]
	}
	if errors.Is(err, errSame) {
		return nil
	}
	return err
}

// note puts a row into the plan.
func (im *importing) note(r control.ImportRow) {
	switch r.What {
	case control.ImportAdd:
		im.plan.Added++
	case control.ImportChange:
		im.plan.Changed++
	case control.ImportDisable:
		im.plan.Disabled++
	case control.ImportConflict:
		im.plan.Conflicts++
	}
	im.plan.Rows = append(im.plan.Rows, r)
}

// do does one row. wrong is set if it does not fit; what of it was done already is taken back with the
// whole try.
func (im *importing) do(tx state.Tx, i int, named map[string]bool, wrong *string) error {
	r := im.rows[i]
	shown := control.ImportRow{Line: r.line, Name: r.is.UserName, External: r.is.External}
	var err error
	if *wrong == "" {
		var was access.User
		var ch access.ProvisionedChange
		var p access.Provisioned
		if p, was, ch, err = im.store(tx, r, im.fresh[i], &shown); err == nil {
			shown.Name, named[p.Person] = p.Person, true
			if err = im.setRoles(tx, p.Person, was, r, &shown); err == nil {
				im.sort(tx, p, ch, shown)
				return nil
			}
		}
		if fatal(err) {
			return err
		}
		*wrong = err.Error()
	}
	if old, oldErr := tx.ProvisionedNamed(im.in.Provider, r.is.UserName); oldErr == nil {
		named[old.Person] = true // who is in the file in a row that does not fit is in the file
	}
	if old, oldErr := tx.ProvisionedAs(im.in.Provider, r.is.External); oldErr == nil {
		named[old.Person] = true
	}
	shown.What, shown.Why, shown.Changes = control.ImportConflict, *wrong, nil
	im.note(shown)
	return nil
}

// fatal reports whether an error is none of a row.
func fatal(err error) bool {
	for _, of := range []error{access.ErrProvisionedTwice, access.ErrProvisioning, access.ErrBadUser, access.ErrNameTaken, access.ErrLastOperator, access.ErrForbidden, access.ErrNotFound} {
		if errors.Is(err, of) {
			return false
		}
	}
	return true
}

// store stores what a row says of a person, who may be one that is here: the file is the word of the
// operator who brings it.
func (im *importing) store(tx state.Tx, r row, fresh string, shown *control.ImportRow) (p access.Provisioned, was access.User, ch access.ProvisionedChange, err error) {
	p, now := r.is, im.s.desk.Now()
	p.Provider = im.in.Provider
	before, err := im.find(tx, p, shown)
	if err != nil {
		return p, was, ch, err
	}
	if before.Person != "" {
		if was, err = tx.User(before.Person); err != nil {
			return p, was, ch, err
		}
		p.Person, p.External, p.Profile = before.Person, cmp.Or(p.External, before.External), kept(p.Profile, before.Profile)
		if !before.Deleted.IsZero() {
			p.Person = ""
		} else if r.named == "" {
			p.Active = before.Active
		}
	}
	if err := im.notSelf(p); err != nil {
		return p, was, ch, err
	}
	if p, ch, err = access.StoreProvisioned(tx, p, fresh, now); err == nil && before.Person != "" {
		shown.Changes = append(shown.Changes, differences(before, p)...)
	}
	return p, was, ch, err
}

// kept is what a file tells of a person, with what was told before where it tells nothing.
func kept(is, was access.Profile) access.Profile {
	if is.Mails == nil {
		is.Mails = was.Mails
	}
	is.DisplayName, is.Formatted = cmp.Or(is.DisplayName, was.DisplayName), cmp.Or(is.Formatted, was.Formatted)
	is.Given, is.Family, is.Title = cmp.Or(is.Given, was.Given), cmp.Or(is.Family, was.Family), cmp.Or(is.Title, was.Title)
	is.Department, is.CostCenter, is.Manager = cmp.Or(is.Department, was.Department), cmp.Or(is.CostCenter, was.CostCenter), cmp.Or(is.Manager, was.Manager)
	return is
}

// find returns a person as the file's provider told of them before: by its key, by the user name in an
// earlier file, or, because this file says so, one who is here by that name.
func (im *importing) find(tx state.Tx, p access.Provisioned, shown *control.ImportRow) (access.Provisioned, error) {
	was, err := tx.ProvisionedAs(p.Provider, p.External)
	if errors.Is(err, access.ErrNotFound) {
		was, err = tx.ProvisionedNamed(p.Provider, p.UserName)
	}
	if !errors.Is(err, access.ErrNotFound) {
		return was, err
	}
	name, err := access.ProvisionedName(p.Provider, p.UserName)
	if err != nil {
		return was, err
	}
	who, err := tx.Person(name)
	if errors.Is(err, access.ErrNotFound) || (err == nil && who.Name != name) { // a name that was theirs is no word about them
		return access.Provisioned{}, nil
	}
	if err != nil {
		return was, err
	}
	p.Person = who.Name
	if was, err = access.LinkProvisioned(tx, access.Provisioned{Provider: p.Provider, Person: who.Name, External: p.External, UserName: p.UserName}, im.s.desk.Now()); err == nil {
		shown.Changes = append(shown.Changes, "linked to "+p.Provider)
	}
	return was, err
}

// setRoles gives a person the roles of a row, if it names any.
func (im *importing) setRoles(tx state.Tx, name string, was access.User, r row, shown *control.ImportRow) error {
	if r.roles == nil {
		return nil
	}
	u, err := tx.User(name)
	if err != nil || slices.Equal(slices.Sorted(slices.Values(u.Roles)), slices.Sorted(slices.Values(r.roles))) {
		return err
	}
	if name == im.actor.User && !slices.Contains(r.roles, access.RoleOperator) {
		return fmt.Errorf("you cannot take the operator role from yourself; ask another operator: %w", access.ErrForbidden)
	}
	shown.Changes = append(shown.Changes, "roles: "+rolesText(u.Roles)+" → "+rolesText(r.roles))
	u.Roles = r.roles
	if _, err = access.ChangeUser(tx, u); err == nil {
		tx.Emit("user.changed", "", name, map[string]string{"roles": strings.TrimPrefix(rolesText(r.roles), "none")})
	}
	return err
}

func rolesText(roles []access.Role) string {
	if len(roles) == 0 {
		return "none"
	}
	words := make([]string, len(roles))
	for i, r := range roles {
		words[i] = string(r)
	}
	return strings.Join(words, " ")
}

// sort puts a row that was done where it belongs.
func (im *importing) sort(tx state.Tx, p access.Provisioned, ch access.ProvisionedChange, shown control.ImportRow) {
	if !ch.Same() {
		emitChange(tx, p, ch)
	}
	switch {
	case ch.New:
		shown.What = control.ImportAdd
	case ch.Ended:
		shown.What = control.ImportDisable
	case ch.Same() && len(shown.Changes) == 0:
		im.plan.Unchanged++
		return
	default:
		shown.What = control.ImportChange
	}
	im.note(shown)
}

// notSelf returns an error if a person who is to be disabled is the one who acts.
func (im *importing) notSelf(p access.Provisioned) error {
	if p.Active || p.Person != im.actor.User {
		return nil
	}
	return fmt.Errorf("you cannot disable yourself; ask another operator: %w", access.ErrForbidden)
}

// endOthers disables whoever an earlier file of the provider named and this one does not.
func (im *importing) endOthers(tx state.Tx, named map[string]bool) error {
	all, err := tx.ProvisionedFrom(im.in.Provider, 0, -1)
	if err != nil {
		return err
	}
	for _, p := range all {
		if named[p.Person] || !p.Active {
			continue
		}
		shown := control.ImportRow{Name: p.Person, External: p.External, What: control.ImportDisable, Changes: []string{"not in the file"}}
		p.Active = false
		var ch access.ProvisionedChange
		if err = im.notSelf(p); err == nil {
			p, ch, err = access.StoreProvisioned(tx, p, "", im.s.desk.Now())
		}
		switch {
		case err == nil:
			emitChange(tx, p, ch)
		case fatal(err):
			return err
		default:
			shown.What, shown.Why, shown.Changes = control.ImportConflict, err.Error(), nil
		}
		im.note(shown)
	}
	return nil
}

// differences says in words what became of what was told of a person.
func differences(was, is access.Provisioned) (all []string) {
	for _, f := range []struct{ name, was, is string }{
		{"name", was.Person, is.Person}, {"user name", was.UserName, is.UserName}, {"external id", was.External, is.External},
		{"active", strconv.FormatBool(was.Active && was.Deleted.IsZero()), strconv.FormatBool(is.Active)},
		{"display name", was.DisplayName, is.DisplayName}, {"given name", was.Given, is.Given}, {"family name", was.Family, is.Family},
		{"title", was.Title, is.Title}, {"department", was.Department, is.Department}, {"cost center", was.CostCenter, is.CostCenter}, {"manager", was.Manager, is.Manager},
		{"mail", mails(was), mails(is)},
	} {
		if f.was != f.is {
			all = append(all, f.name+": "+cmp.Or(f.was, "none")+" → "+cmp.Or(f.is, "none"))
		}
	}
	return all
}

func mails(p access.Provisioned) string {
	words := make([]string, len(p.Mails))
	for i, m := range p.Mails {
		words[i] = m.Value
	}
	return strings.Join(words, " ")
}
