package control

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// quota is how much of one thing a person, an app or the node may have.
type quota struct {
	name  string
	about string
	limit int64           // default
	kind  state.CountKind // of the count that it bounds
	bytes bool            // of that, the bytes
	per   string          // "person", "app", "group" or "node": what the count is of

	// heavy things are not taken in any more when the disk is nearly full. The rest, what
	// people sign in with above all, is what they make room with.
	heavy    bool
	remedy   string
	commands []string
}

// quotas is the table of all that is bounded. Its defaults are far above what people
// need, and low enough that no one takes the node for themselves.
var quotas = []quota{
	{name: "apps", about: "apps owned", limit: 200, kind: state.CountApps, per: "person", heavy: true,
		remedy: "Publish as a release of an app that you have, or ask an operator for more."},
	{name: "releases", about: "releases kept, of all apps", limit: 5000, kind: state.CountOwned, per: "person", heavy: true,
		remedy: "Delete releases that are not needed, or ask an operator for more.", commands: []string{"agora releases list <app>", "agora releases delete <app> <number>"}},
	{name: "module-bytes", about: "bytes of the modules of these releases, and of deleted ones until their files are gone", limit: 20 << 30, kind: state.CountOwned, bytes: true, per: "person", heavy: true,
		remedy: "Delete releases that are not needed, or ask an operator for more.", commands: []string{"agora releases list <app>", "agora releases delete <app> <number>"}},
	{name: "requests", about: "open requests", limit: 200, kind: state.CountRequests, per: "person", heavy: true,
		remedy: "Withdraw requests that are not needed, or remind a reviewer.", commands: []string{"agora requests list", "agora requests withdraw <id>"}},
	{name: "tokens", about: "API tokens that have not expired", limit: 100, kind: state.CountTokens, per: "person",
		remedy: "Revoke tokens that are not used.", commands: []string{"agora tokens list", "agora tokens revoke <id>"}},
	{name: "keys", about: "registered signing keys", limit: 50, kind: state.CountKeys, per: "person", heavy: true,
		remedy: "Remove keys that are not used.", commands: []string{"agora keys list", "agora keys delete <key>"}},
	{name: "app-releases", about: "releases kept", limit: 500, kind: state.CountReleases, per: "app", heavy: true,
		remedy: "Delete releases of the app that are not needed, or ask an operator for more.", commands: []string{"agora releases list <app>", "agora releases delete <app> <number>"}},
	{name: "app-secrets", about: "secrets", limit: 100, kind: state.CountSecrets, per: "app", heavy: true,
		remedy: "Delete secrets of the app that are not read.", commands: []string{"agora secrets list <app>", "agora secrets delete <app> <name>"}},
	{name: "app-domains", about: "domains", limit: 50, kind: state.CountHosts, per: "app", heavy: true,
		remedy: "Delete domains of the app that are not used.", commands: []string{"agora domains list", "agora domains delete <host>"}},
	{name: "node-module-bytes", about: "bytes of modules, of all people", limit: 500 << 30, kind: state.CountModules, bytes: true, per: "node", heavy: true,
		remedy: "Delete releases that are not needed; an operator can raise the quota if the disk has room.", commands: []string{"agora releases delete <app> <number>"}},
	{name: "node-domains", about: "domains of all apps", limit: 10_000, kind: state.CountAllHosts, per: "node", heavy: true,
		remedy: "Delete domains that are not used.", commands: []string{"agora domains delete <host>"}},
	{name: "memberships", about: "groups that one is in", limit: access.MaxGroupsOf, kind: state.CountMemberOf, per: "person",
		remedy: "Take the person out of groups that nothing refers to.", commands: []string{"agora groups remove <group> <person>"}},
	{name: "group-people", about: "people in it", limit: 50_000, kind: state.CountMembers, per: "group",
		remedy: "Make several groups, or let the whole organisation in."},
	{name: "node-groups", about: "groups", limit: 20_000, kind: state.CountGroups, per: "node",
		remedy: "Delete groups that nothing refers to.", commands: []string{"agora groups delete <group>"}},
	{name: "node-users", about: "users", limit: 100_000, kind: state.CountUsers, per: "node",
		remedy: "Raise the quota when the node is started."},
}

// Quotas are limits other than the defaults, by a quota's name.
type Quotas map[string]int64

// QuotaNames lists the names of all quotas, with their defaults.
func QuotaNames() []string {
	var names []string
	for _, q := range quotas {
		text := strconv.FormatInt(q.limit, 10)
		if q.bytes {
			text = fmt.Sprintf("%dGiB", q.limit>>30)
		}
		names = append(names, q.name+"="+text)
	}
	return names
}

// ParseQuotas reads "apps=500" and "module-bytes=50GiB".
func ParseQuotas(texts []string) (Quotas, error) {
	found := Quotas{}
	for _, text := range texts {
		name, value, _ := strings.Cut(text, "=")
		i := slices.IndexFunc(quotas, func(q quota) bool { return q.name == name })
		if i < 0 {
			return nil, fmt.Errorf("quota %q: there is none of that name; the quotas and their defaults are %s", text, strings.Join(QuotaNames(), ", "))
		}
		if quotas[i].bytes {
			var size registry.Size
			if err := size.UnmarshalText([]byte(value)); err != nil || size < 0 {
				return nil, fmt.Errorf("quota %q: write a size, as in %s=50GiB", text, name)
			}
			found[name] = int64(size)
			continue
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 || n > math.MaxInt32 {
			return nil, fmt.Errorf("quota %q: write a number, as in %s=500", text, name)
		}
		found[name] = n
	}
	return found, nil
}

// limitOf returns how much a quota allows on this node.
func (m Quotas) limitOf(q quota) int64 {
	if n, ok := m[q.name]; ok {
		return n
	}
	return q.limit
}

func (q quota) of(c state.Count) int64 {
	if q.bytes {
		return c.Bytes
	}
	return c.N
}

// show describes a quota with what is used of it.
func (q quota) show(of string, used, limit int64) Quota {
	return Quota{
		Name: q.name, About: q.about, Per: q.per, Of: of, Used: used, Limit: limit, Bytes: q.bytes,
		Remedy: abi.Remedy{Summary: q.remedy, Commands: q.commands},
	}
}

// within refuses a change that makes anything larger than its quota allows. It is
// asked at the end of every change, inside its transaction: no flow can forget it, and of
// two changes at the same time the second one sees the first. What is over a quota because
// an operator lowered it stays, and does not grow. low is what else is in the way.
func (m Quotas) within(tx state.Tx, low error) error {
	grown, err := tx.Grown()
	if err != nil {
		return err
	}
	for _, g := range grown {
		for _, q := range quotas {
			before, now, limit := q.of(g.Before), q.of(g.Now), m.limitOf(q)
			if q.kind != g.Kind || now <= before {
				continue
			}
			if now > limit {
				return &OverQuota{Quota: q.show(g.Of, before, limit), More: now - before}
			}
			if q.heavy && low != nil {
				return low
			}
		}
	}
	return nil
}

// WouldFit refuses what would make a count larger than the quota of a name allows.
func (m Quotas) WouldFit(tx state.Reader, name, of string, more int64) error {
	q := quotas[slices.IndexFunc(quotas, func(q quota) bool { return q.name == name })]
	count, err := tx.Count(q.kind, of)
	if err != nil {
		return err
	}
	if used, limit := q.of(count), m.limitOf(q); used+more > limit {
		return &OverQuota{Quota: q.show(of, used, limit), More: more}
	}
	return nil
}

// Check refuses quotas that do not exist.
func (m Quotas) Check() error {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !slices.ContainsFunc(quotas, func(q quota) bool { return q.name == name }) {
			return fmt.Errorf("there is no quota %q; the quotas are %s", name, strings.Join(QuotaNames(), ", "))
		}
	}
	return nil
}

// Of lists the quotas of people, apps and the node, with what is used: of maps "person", "app" and
// "node" to whose are wanted.
func (m Quotas) Of(tx state.Reader, of map[string]string) ([]Quota, error) {
	var shown []Quota
	for _, q := range quotas {
		whose, wanted := of[q.per]
		if !wanted {
			continue
		}
		count, err := tx.Count(q.kind, whose)
		if err != nil {
			return nil, err
		}
		shown = append(shown, q.show(whose, q.of(count), m.limitOf(q)))
	}
	return shown, nil
}
