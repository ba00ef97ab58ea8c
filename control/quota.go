package control

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/metering/rate"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// quota is how much of one thing a person, an app or the node may have.
type quota struct {
	name  string
	about string
	limit int64           // default
	kind  state.CountKind // of the count that it bounds
	bytes bool            // it bounds bytes: of that, or of what is measured
	per   string          // "person", "app", "group" or "node": what the count is of

	// measure is what it bounds that is no count, in units of that many: see Compare.
	measure Measure
	unit    int64 // 0: 1

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
		remedy: "Publish as a release of an app that you have."},
	{name: "releases", about: "releases kept, of all apps", limit: 5000, kind: state.CountOwned, per: "person", heavy: true,
		remedy: "Delete releases that are not needed.", commands: []string{"agora releases list <app>", "agora releases delete <app> <number>"}},
	{name: "module-bytes", about: "bytes of the modules of these releases, and of deleted ones until their files are gone", limit: 20 << 30, kind: state.CountOwned, bytes: true, per: "person", heavy: true,
		remedy: "Delete releases that are not needed.", commands: []string{"agora releases list <app>", "agora releases delete <app> <number>"}},
	{name: "requests", about: "open requests", limit: 200, kind: state.CountRequests, per: "person", heavy: true,
		remedy: "Withdraw requests that are not needed, or remind a reviewer.", commands: []string{"agora requests list", "agora requests withdraw <id>"}},
	{name: "tokens", about: "API tokens that have not expired", limit: 100, kind: state.CountTokens, per: "person",
		remedy: "Revoke tokens that are not used.", commands: []string{"agora tokens list", "agora tokens revoke <id>"}},
	{name: "keys", about: "registered signing keys", limit: 50, kind: state.CountKeys, per: "person", heavy: true,
		remedy: "Remove keys that are not used.", commands: []string{"agora keys list", "agora keys delete <key>"}},
	{name: "app-releases", about: "releases kept", limit: 500, kind: state.CountReleases, per: "app", heavy: true,
		remedy: "Delete releases of the app that are not needed.", commands: []string{"agora releases list <app>", "agora releases delete <app> <number>"}},
	{name: "app-secrets", about: "secrets", limit: 100, kind: state.CountSecrets, per: "app", heavy: true,
		remedy: "Delete secrets of the app that are not read.", commands: []string{"agora secrets list <app>", "agora secrets delete <app> <name>"}},
	{name: "app-domains", about: "domains", limit: 50, kind: state.CountHosts, per: "app", heavy: true,
		remedy: "Delete domains of the app that are not used.", commands: []string{"agora domains list", "agora domains delete <host>"}},
	{name: "group-apps", about: "apps that the group owns", limit: 2000, kind: state.CountGroupApps, per: "group", heavy: true,
		remedy: "Delete apps of the group that are not needed, or take the group off apps that it does not work on.", commands: []string{"agora apps list", "agora apps delete <app>"}},
	{name: "group-releases", about: "releases kept, of all apps that the group owns", limit: 50_000, kind: state.CountGroupOwned, per: "group", heavy: true,
		remedy: "Delete releases of the group's apps that are not needed.", commands: []string{"agora releases list <app>", "agora releases delete <app> <number>"}},
	{name: "group-module-bytes", about: "bytes of the modules of these releases, and of deleted ones until their files are gone", limit: 200 << 30, kind: state.CountGroupOwned, bytes: true, per: "group", heavy: true,
		remedy: "Delete releases of the group's apps that are not needed.", commands: []string{"agora releases list <app>", "agora releases delete <app> <number>"}},
	{name: "node-apps", about: "apps, of all people", limit: 50_000, kind: state.CountAllApps, per: "node", heavy: true,
		remedy: "Delete apps that are not needed.", commands: []string{"agora apps delete <app>"}},
	{name: "node-releases", about: "releases kept, of all apps", limit: 1_000_000, kind: state.CountModules, per: "node", heavy: true,
		remedy: "Delete releases that are not needed.", commands: []string{"agora releases delete <app> <number>"}},
	{name: "node-module-bytes", about: "bytes of modules, of all people", limit: 500 << 30, kind: state.CountModules, bytes: true, per: "node", heavy: true,
		remedy: "Delete releases that are not needed.", commands: []string{"agora releases delete <app> <number>"}},
	{name: "node-domains", about: "domains of all apps", limit: 10_000, kind: state.CountAllHosts, per: "node", heavy: true,
		remedy: "Delete domains that are not used.", commands: []string{"agora domains delete <host>"}},
	{name: "fuel-a-day", about: "instructions that the person's apps run in a day (UTC)", limit: NoLimit, measure: Fuel, per: "person", remedy: fuelRemedy, commands: fuelCommands},
	{name: "group-fuel-a-day", about: "instructions that the group's apps run in a day (UTC)", limit: NoLimit, measure: Fuel, per: "group", remedy: fuelRemedy, commands: fuelCommands},
	{name: "node-fuel-a-day", about: "instructions that all apps run in a day (UTC)", limit: NoLimit, measure: Fuel, per: "node", remedy: fuelRemedy, commands: fuelCommands},
	{name: "compile-seconds-a-day", about: "seconds of processor time that compiling the person's releases takes in a day (UTC)", limit: NoLimit, measure: Compiling, unit: 1000, per: "person", remedy: compileRemedy, commands: compileCommands},
	{name: "group-compile-seconds-a-day", about: "seconds of processor time that compiling releases of the group's apps takes in a day (UTC)", limit: NoLimit, measure: Compiling, unit: 1000, per: "group", remedy: compileRemedy, commands: compileCommands},
	{name: "node-compile-seconds-a-day", about: "seconds of processor time that compiling all releases takes in a day (UTC)", limit: NoLimit, measure: Compiling, unit: 1000, per: "node", remedy: compileRemedy, commands: compileCommands},
	{name: "data-bytes", about: "bytes that the person's apps keep, in keys and blobs", limit: NoLimit, bytes: true, measure: Data, per: "person", remedy: dataRemedy, commands: dataCommands},
	{name: "group-data-bytes", about: "bytes that the group's apps keep, in keys and blobs", limit: NoLimit, bytes: true, measure: Data, per: "group", remedy: dataRemedy, commands: dataCommands},
	{name: "node-data-bytes", about: "bytes that all apps keep, in keys and blobs", limit: NoLimit, bytes: true, measure: Data, per: "node", remedy: dataRemedy, commands: dataCommands},
	{name: "requests-a-second", about: "calls of the person's apps in a second", limit: NoLimit, measure: Calls, per: "person", remedy: callsRemedy, commands: callsCommands},
	{name: "group-requests-a-second", about: "calls of the group's apps in a second", limit: NoLimit, measure: Calls, per: "group", remedy: callsRemedy, commands: callsCommands},
	{name: "node-requests-a-second", about: "calls of all apps in a second", limit: NoLimit, measure: Calls, per: "node", remedy: callsRemedy, commands: callsCommands},
	{name: "memory", about: "bytes of memory that the calls of the person's apps hold at once", limit: NoLimit, bytes: true, measure: Memory, per: "person", remedy: memoryRemedy, commands: memoryCommands},
	{name: "group-memory", about: "bytes of memory that the calls of the group's apps hold at once", limit: NoLimit, bytes: true, measure: Memory, per: "group", remedy: memoryRemedy, commands: memoryCommands},
	{name: "memberships", about: "groups that one is in", limit: access.MaxGroupsOf, kind: state.CountMemberOf, per: "person",
		remedy: "Take the person out of groups that nothing refers to.", commands: []string{"agora groups remove <group> <person>"}},
	{name: "group-people", about: "people in it", limit: 50_000, kind: state.CountMembers, per: "group",
		remedy: "Make several groups, or let the whole organisation in."},
	{name: "node-groups", about: "groups", limit: 20_000, kind: state.CountGroups, per: "node",
		remedy: "Delete groups that nothing refers to.", commands: []string{"agora groups delete <group>"}},
	{name: "node-users", about: "users", limit: 100_000, kind: state.CountUsers, per: "node",
		remedy: "Nobody is deleted: disable who has left."},
}

const (
	fuelRemedy    = "Wait for the next day, which begins at 00:00 UTC, or see which app runs that much."
	compileRemedy = "Wait for the next day, which begins at 00:00 UTC, or see which app is compiled that much."
	callsRemedy   = "See which app is called that often, and have it called less, or let what it returns be kept."
	memoryRemedy  = "Lower limits.memory or limits.concurrency of apps that take much."
	dataRemedy    = "Delete what these apps need no more, or apps that are not used, with what they keep."
)

var (
	fuelCommands    = []string{"agora usage --by app"}
	compileCommands = []string{"agora usage --by app"}
	callsCommands   = []string{"agora usage --by app"}
	memoryCommands  = []string{"agora apps list"}
	dataCommands    = []string{"agora apps list", "agora apps delete <app>"}
)

// Quotas are limits other than the defaults, by a quota's name.
type Quotas map[string]int64

// QuotaNames lists the names of all quotas, with their defaults.
func QuotaNames() []string {
	var names []string
	for _, q := range quotas {
		text := strconv.FormatInt(q.limit, 10)
		switch {
		case q.limit == NoLimit:
			text = noLimit
		case q.bytes:
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
		n, err := ParseQuota(name, value)
		if err != nil {
			return nil, fmt.Errorf("quota %q: %w", text, err)
		}
		found[name] = n
	}
	return found, nil
}

// ParseQuota reads how much a quota of a name is to allow: "500" or "50GiB".
func ParseQuota(name, value string) (int64, error) {
	q, err := quotaNamed(name)
	if err != nil {
		return 0, err
	}
	if q.measure != "" && value == noLimit {
		return NoLimit, nil
	}
	if q.bytes {
		var size registry.Size
		if err := size.UnmarshalText([]byte(value)); err != nil || size < 0 {
			return 0, fmt.Errorf("%w: write a size, as in %s=50GiB", access.ErrBadQuota, name)
		}
		return int64(size), nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 || n > q.most() {
		return 0, fmt.Errorf("%w: write a number, as in %s=500", access.ErrBadQuota, name)
	}
	return n, nil
}

// noLimit is how people write NoLimit.
const noLimit = "none"

// most is the largest limit that a quota can have.
func (q quota) most() int64 {
	switch {
	case q.measure == Calls:
		return rate.MaxLimit
	case q.bytes || q.measure != "":
		return NoLimit
	}
	return math.MaxInt32
}

func quotaNamed(name string) (quota, error) {
	i := slices.IndexFunc(quotas, func(q quota) bool { return q.name == name })
	if i < 0 {
		return quota{}, fmt.Errorf("quota %.80q: %w; the quotas and their defaults are %s", name, access.ErrNoQuota, strings.Join(QuotaNames(), ", "))
	}
	return quotas[i], nil
}

// Who said how much a quota allows.
const (
	QuotaDefault   = "default"   // nobody: it is what the table says
	QuotaAtStart   = "start"     // the options that the node was started with
	QuotaEverybody = "everybody" // an operator, for all alike
	QuotaOwn       = "own"       // an operator, for this person, group or app, or for the node
)

// allowance is how much a quota allows, and who said so.
type allowance struct {
	limit int64
	from  string
	set   *access.QuotaSetting
}

// allows returns how much a quota allows one person, group or app. What is said of them alone comes
// first, then what an operator set for all of them, then what the node was started with.
func (d *Desk) allows(tx access.QuotaReader, q quota, of string) (allowance, error) {
	now, own := d.Now(), true
	for _, whose := range []string{of, ""} {
		set, err := tx.QuotaSetting(q.per, whose, q.name)
		if err != nil && !errors.Is(err, access.ErrNoQuotaSetting) {
			return allowance{}, err
		}
		if err == nil && set.Holds(now) {
			from := QuotaEverybody
			if own {
				from = QuotaOwn
			}
			return allowance{set.Limit, from, &set}, nil
		}
		own = false
	}
	if n, ok := d.Quotas[q.name]; ok {
		return allowance{n, QuotaAtStart, nil}, nil
	}
	return allowance{q.limit, QuotaDefault, nil}, nil
}

func (q quota) of(c state.Count) int64 {
	if q.bytes {
		return c.Bytes
	}
	return c.N
}

// used returns how many of the quota's units were measured, those that are whole.
func (q quota) used(measured int64) int64 { return measured / max(1, q.unit) }

// show describes a quota with what is used of it.
func (q quota) show(tx access.GroupReader, of string, used int64, a allowance) (Quota, error) {
	shown := Quota{Name: q.name, About: q.about, Per: q.per, Of: of, Used: used, Limit: a.limit, From: a.from, Set: a.set, Bytes: q.bytes}
	raise := "agora quotas set " + q.name + " <limit> --reason <why>"
	switch {
	case of == "":
	case q.per == "person":
		raise += " --user " + of
	case q.per == "app":
		raise += " --app " + of
	case q.per == "group":
		g, err := tx.Group(of)
		if err != nil && !errors.Is(err, access.ErrNoGroup) {
			return shown, err
		}
		shown.GroupName = g.Name
		raise += " --group " + of
	}
	shown.Remedy = abi.Remedy{
		Summary:  q.remedy + " An operator can raise the quota: the last of these commands is theirs.",
		Commands: append(slices.Clone(q.commands), raise),
	}
	return shown, nil
}

// over refuses more of a quota than there may be.
func (q quota) over(tx access.GroupReader, of string, used, more int64, a allowance) error {
	shown, err := q.show(tx, of, used, a)
	if err != nil {
		return err
	}
	return &OverQuota{Quota: shown, More: more}
}

// within refuses a change that makes anything larger than its quota allows. It is
// asked at the end of every change, inside its transaction: no flow can forget it, and of
// two changes at the same time the second one sees the first. What is over a quota because
// an operator lowered it stays, and does not grow. low is what else is in the way.
func (d *Desk) within(tx state.Tx, low error) error {
	grown, err := tx.Grown()
	if err != nil {
		return err
	}
	for _, g := range grown {
		for _, q := range quotas {
			before, now := q.of(g.Before), q.of(g.Now)
			if q.kind != g.Kind || now <= before {
				continue
			}
			a, err := d.allows(tx, q, g.Of)
			if err != nil {
				return err
			}
			if now > a.limit {
				return q.over(tx, g.Of, before, now-before, a)
			}
			if q.heavy && low != nil {
				return low
			}
		}
	}
	return nil
}

// WouldFit refuses what would make a count larger than the quota of a name allows.
func (d *Desk) WouldFit(tx state.Reader, name, of string, more int64) error {
	q, err := quotaNamed(name)
	if err != nil {
		return err
	}
	count, err := tx.Count(q.kind, of)
	if err != nil {
		return err
	}
	a, err := d.allows(tx, q, of)
	if err != nil {
		return err
	}
	if used := q.of(count); used+more > a.limit {
		return q.over(tx, of, used, more, a)
	}
	return nil
}

// Check refuses quotas that do not exist.
func (m Quotas) Check() error {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if _, err := quotaNamed(name); err != nil {
			return err
		}
	}
	return nil
}

// QuotasOf lists the quotas of people, groups, apps and the node, with what is used: of maps what they are
// of, "person" for one, to whose are wanted.
func (d *Desk) QuotasOf(tx state.Reader, of map[string]string) ([]Quota, error) {
	var all []Quota
	for _, q := range quotas {
		whose, wanted := of[q.per]
		if !wanted {
			continue
		}
		shown, err := d.quotaOf(tx, q, whose)
		if err != nil {
			return nil, err
		}
		if q.measure != "" && shown.Limit == NoLimit && shown.Set == nil { // nobody said that there is such a quota
			continue
		}
		all = append(all, shown)
	}
	return all, nil
}

func (d *Desk) quotaOf(tx state.Reader, q quota, whose string) (Quota, error) {
	a, err := d.allows(tx, q, whose)
	if err != nil {
		return Quota{}, err
	}
	if q.measure.atOnce() {
		return q.show(tx, whose, d.uses(q.measure, Holder{q.per, whose}), a)
	}
	if q.measure != "" {
		return q.show(tx, whose, q.used(d.sumsOf(q.measure)[Holder{q.per, whose}]), a)
	}
	count, err := tx.Count(q.kind, whose)
	if err != nil {
		return Quota{}, err
	}
	return q.show(tx, whose, q.of(count), a)
}

// QuotaIs returns what a quota of a name is of, such as "person", or access.ErrNoQuota.
func QuotaIs(name string) (per string, err error) {
	q, err := quotaNamed(name)
	return q.per, err
}

// SetQuota stores what an operator set, and returns the quota as it is then with what is used of it and,
// before it, how much it allowed.
func (d *Desk) SetQuota(tx state.Tx, s access.QuotaSetting) (is Quota, was int64, err error) {
	q, err := quotaNamed(s.Quota)
	if err != nil {
		return is, 0, err
	}
	if s.Limit > q.most() && (q.measure == "" || s.Limit != NoLimit) {
		return is, 0, fmt.Errorf("%w: a limit is %d at most", access.ErrBadQuota, q.most())
	}
	if err := s.Check(d.Now()); err != nil {
		return is, 0, err
	}
	before, err := d.allows(tx, q, s.Of)
	if err != nil {
		return is, 0, err
	}
	if err := tx.PutQuotaSetting(s); err != nil {
		return is, 0, err
	}
	is, err = d.quotaOf(tx, q, s.Of)
	return is, before.limit, err
}

// ClearQuota forgets what an operator set, and returns the quota as it is then.
func (d *Desk) ClearQuota(tx state.Tx, name, of string) (is Quota, err error) {
	q, err := quotaNamed(name)
	if err != nil {
		return is, err
	}
	if _, err := tx.QuotaSetting(q.per, of, name); err != nil {
		return is, err
	}
	if err := tx.DeleteQuotaSetting(q.per, of, name); err != nil {
		return is, err
	}
	return d.quotaOf(tx, q, of)
}

// Amount is how much of the quota a number is, in words.
func (q Quota) Amount(n int64) string {
	if n == NoLimit {
		return "no limit"
	}
	if q.Bytes {
		return humanize.Bytes(uint64(max(0, n)))
	}
	return strconv.FormatInt(n, 10)
}

// QuotaAmount is how much of a quota of a name a number is, in words.
func QuotaAmount(name string, n int64) string {
	q, _ := quotaNamed(name) // one that is no more is a number
	return Quota{Bytes: q.bytes}.Amount(n)
}

// Share is how much of the quota is used, in percent, 100 at most.
func (q Quota) Share() int64 {
	if q.Used >= q.Limit {
		return 100
	}
	return int64(float64(q.Used) / float64(q.Limit) * 100)
}
