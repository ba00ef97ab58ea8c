package access

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/agora-host/agora/internal/sentinel"
)

var (
	// ErrNoGroup: no group has that id or name.
	ErrNoGroup = sentinel.New(ErrNotFound, "there is no such group")
	// ErrNoMember: the person is not in the group.
	ErrNoMember = sentinel.New(ErrNotFound, "that person is not in the group")
	// ErrBadGroup: a group's name or source is not valid.
	ErrBadGroup = errors.New("the group is not valid")
	// ErrGroupTaken: its source has another group of that name or key.
	ErrGroupTaken = errors.New("another group has that name")
	// ErrGroupInUse: the group owns apps.
	ErrGroupInUse = errors.New("the group owns apps")
	// ErrGroupTold: a provider keeps the group, so that it is changed there alone.
	ErrGroupTold = errors.New("a provider keeps the group")
)

// Group is a set of people: made here, or told by a sign-in provider, by its claims or its
// provisioning. A team is a group that owns apps.
type Group struct {
	ID   string `json:"id"`   // see NewGroupID; records refer to a group by it
	Name string `json:"name"` // as people read it: unique within its source, letter case aside
	// Source is "" for a group that is made here, or the id of the provider that tells it.
	Source string `json:"source,omitempty"`
	// External is the source's own key: the text of a claim, or the externalId of SCIM. It is unique
	// within the source; "" if there is none.
	External string    `json:"external,omitempty"`
	Created  time.Time `json:"created"`
	Changed  time.Time `json:"changed,omitzero"` // its name or its key; not its members
}

// Member is one person's membership in one group.
type Member struct {
	Group  string `json:"group"`  // its id
	Person string `json:"person"` // a name; an id below state/persons
}

// GroupReader reads groups. What it returns nothing of is ErrNoGroup.
type GroupReader interface {
	Group(id string) (Group, error)
	// GroupNamed returns the group of a source that has a name, letter case aside.
	GroupNamed(source, name string) (Group, error)
	// GroupKnownAs returns the group of a source that has that source's own key.
	GroupKnownAs(source, external string) (Group, error)
	// GroupsOf lists the ids of the groups that a person is in, in order. It reads those alone.
	GroupsOf(person string) ([]string, error)
	IsMember(group, person string) (bool, error)
}

// GroupWriter changes groups.
type GroupWriter interface {
	PutGroup(Group) error
	// DeleteGroup forgets a group with its memberships.
	DeleteGroup(id string) error
	// PutMember puts a person into a group that is there, and does nothing for one who is in it.
	PutMember(group, person string) error
	// DeleteMember ends a membership, if there is one.
	DeleteMember(group, person string) error
}

// GroupTx is what changing groups needs of a transaction.
type GroupTx interface {
	GroupReader
	GroupWriter
}

const (
	groupPrefix = "g_"
	maxExternal = 512
	// MaxGroupName is the most bytes that a group's name has.
	MaxGroupName = 200
	// MaxGroupsOf is how many groups one person is in, at most.
	MaxGroupsOf = 5000
)

// NewGroupID makes an id: 128 random bits, which never change and are no name of a role.
func NewGroupID() string {
	var b [16]byte
	rand.Read(b[:])
	return groupPrefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// IsGroupID reports whether a reference is the id of a group, and no name.
func IsGroupID(text string) bool { return strings.HasPrefix(text, groupPrefix) }

// FoldGroupName returns the form of a name in which two groups of a source are never alike.
func FoldGroupName(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// GroupName returns a name as it is stored: without spaces around it and with single ones in it.
// What no reader can see is refused, and so is what could be taken for an id.
func GroupName(text string) (string, error) {
	name := strings.Join(strings.Fields(text), " ")
	if name == "" || len(name) > MaxGroupName || !utf8.ValidString(name) {
		return "", fmt.Errorf("%w: its name is a text of 1 to %d bytes", ErrBadGroup, MaxGroupName)
	}
	for _, r := range name {
		if r != ' ' && !unicode.IsGraphic(r) {
			return "", fmt.Errorf("%w: its name %.80q has characters that cannot be seen", ErrBadGroup, name)
		}
	}
	if IsGroupID(FoldGroupName(name)) {
		return "", fmt.Errorf("%w: a name does not begin with %s, as ids do", ErrBadGroup, groupPrefix)
	}
	return name, nil
}

// AddGroup stores a group that is new. Its id was made before the transaction, by NewGroupID: a closure
// that runs again makes the same group.
func AddGroup(tx GroupTx, g Group, now time.Time) (Group, error) {
	if !IsGroupID(g.ID) {
		return g, errors.New("BUG: a group has no id")
	}
	g.Created = now.UTC()
	return storeGroup(tx, g)
}

// ChangeGroup stores a group that is there with another name, or another key at its source.
func ChangeGroup(tx GroupTx, g Group, now time.Time) (Group, error) {
	was, err := tx.Group(g.ID)
	if err != nil {
		return g, fmt.Errorf("group %q: %w", g.ID, err)
	}
	g.Source, g.Created, g.Changed = was.Source, was.Created, was.Changed
	if g == was {
		return g, nil
	}
	g.Changed = now.UTC()
	return storeGroup(tx, g)
}

func storeGroup(tx GroupTx, g Group) (Group, error) {
	name, err := GroupName(g.Name)
	if err != nil {
		return g, err
	}
	if g.Name = name; len(g.External) > maxExternal || !utf8.ValidString(g.External+g.Source) || strings.Contains(g.External+g.Source, "\x00") {
		return g, fmt.Errorf("%w: its key at the provider is a text of at most %d bytes", ErrBadGroup, maxExternal)
	}
	if err := groupFree(tx, g); err != nil {
		return g, err
	}
	return g, tx.PutGroup(g)
}

// groupFree returns nil if no other group of the source has the name or the key.
func groupFree(tx GroupReader, g Group) error {
	other, err := tx.GroupNamed(g.Source, g.Name)
	if err == nil && other.ID != g.ID {
		return fmt.Errorf("%q: %w", other.Name, ErrGroupTaken)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if g.External == "" {
		return nil
	}
	other, err = tx.GroupKnownAs(g.Source, g.External)
	if err == nil && other.ID != g.ID {
		return fmt.Errorf("%q, by its key %.80q at the provider: %w", other.Name, g.External, ErrGroupTaken)
	}
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// FindGroup returns the group that a text refers to: its id, or its name. A name that groups of
// several sources have is that of the group made here, or, of a single one, of its provider.
func FindGroup(tx GroupReader, text string, sources ...string) (Group, error) {
	if IsGroupID(text) {
		return tx.Group(text)
	}
	name, err := GroupName(text)
	if err != nil { // a text that no group can have as a name
		return Group{}, ErrNoGroup
	}
	for _, source := range append([]string{""}, sources...) {
		g, err := tx.GroupNamed(source, name)
		if !errors.Is(err, ErrNotFound) {
			return g, err
		}
	}
	return Group{}, ErrNoGroup
}

// Told returns an error if a provider keeps a group, which is not changed by hand then.
func (g Group) Told() error {
	if g.Source == "" {
		return nil
	}
	return fmt.Errorf("%q is kept by the provider %s; change it there, or make a group here: %w", g.Name, g.Source, ErrGroupTold)
}

// MemberChange is a membership that began or ended.
type MemberChange struct {
	Group  Group
	Person string
	Ended  bool
}

// TellGroups makes a person a member of the groups that a provider names, by the provider's own keys,
// and of no other group of that provider. Groups that are not there are made, and named after their
// keys. seed is an id that was made before the transaction, of which theirs are made. It returns what
// changed, and the groups that are new.
func TellGroups(tx GroupTx, person, source string, keys []string, seed string, now time.Time) (changed []MemberChange, made []Group, err error) {
	if source == "" {
		return nil, nil, errors.New("BUG: a provider has no id")
	}
	wanted := map[string]bool{}
	for _, k := range keys {
		if k == "" || len(k) > maxExternal || !utf8.ValidString(k) || strings.Contains(k, "\x00") || len(wanted) == MaxGroupsOf {
			continue // what is no key of a group ends no sign-in
		}
		g, isNew, err := toldGroup(tx, source, k, seed, now)
		if err != nil {
			return changed, made, err
		}
		if isNew {
			made = append(made, g)
		}
		if wanted[g.ID] {
			continue
		}
		wanted[g.ID] = true
		if is, err := tx.IsMember(g.ID, person); err != nil || is {
			if err != nil {
				return changed, made, err
			}
			continue
		}
		if err := tx.PutMember(g.ID, person); err != nil {
			return changed, made, err
		}
		changed = append(changed, MemberChange{Group: g, Person: person})
	}
	ended, err := endOthers(tx, person, source, wanted)
	return append(changed, ended...), made, err
}

// toldGroup returns the group of a provider that has a key, and makes it if there is none. Its name is
// the key, as much of it as a name can have, and is told apart from a name that is taken.
func toldGroup(tx GroupTx, source, key, seed string, now time.Time) (g Group, isNew bool, err error) {
	if g, err = tx.GroupKnownAs(source, key); !errors.Is(err, ErrNotFound) {
		return g, false, err
	}
	seen := strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, key)
	seen = strings.ToValidUTF8(seen[:min(len(seen), MaxGroupName-20)], "")
	mark, id := Hash(key)[:12], groupPrefix+Hash(seed + "\x00" + source + "\x00" + key)[:32]
	for _, name := range []string{seen, seen + " (" + mark + ")", "group " + mark} {
		g, err = AddGroup(tx, Group{ID: id, Name: name, Source: source, External: key}, now)
		if !errors.Is(err, ErrGroupTaken) && !errors.Is(err, ErrBadGroup) {
			return g, err == nil, err
		}
	}
	return g, false, err
}

// endOthers ends a person's memberships in the groups of a source but those that are wanted.
func endOthers(tx GroupTx, person, source string, wanted map[string]bool) (ended []MemberChange, err error) {
	had, err := tx.GroupsOf(person)
	if err != nil {
		return nil, err
	}
	for _, id := range had {
		if wanted[id] {
			continue
		}
		g, err := tx.Group(id)
		if err != nil {
			return ended, err
		}
		if g.Source != source {
			continue
		}
		if err := tx.DeleteMember(id, person); err != nil {
			return ended, err
		}
		ended = append(ended, MemberChange{Group: g, Person: person, Ended: true})
	}
	return ended, nil
}

// In reports whether a list of ids of groups, such as an actor's, names a group.
func In(groups []string, group string) bool {
	if group == "" {
		return false
	}
	_, found := slices.BinarySearch(groups, group)
	return found
}
