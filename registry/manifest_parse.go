package registry

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/agora-host/agora/abi"
)

// What a manifest may hold, so that whatever it says, rules can judge it and people can read it.
const (
	maxManifest = 64 << 10 // bytes of its text
	maxProblems = 50       // that are said of one
	maxSettings = 500      // in [config]
	maxSecrets  = 100      // that secret names: as many as an app can have
	maxTopics   = 64       // that events publishes
	maxModels   = 32       // that llm lists
)

// Classifications are the words for data_classification, from the least to the
// most protected.
func Classifications() []string { return []string{"public", "internal", "confidential", "restricted"} }

// ManifestError is all that is wrong with a manifest.
type ManifestError struct{ Problems []abi.Finding }

func (e *ManifestError) Error() string {
	texts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		texts[i] = p.Message
	}
	return ErrBadManifest.Error() + ": " + strings.Join(texts, "; ")
}

func (e *ManifestError) Unwrap() error { return ErrBadManifest }

// Findings are the problems, as a check would say them.
func (e *ManifestError) Findings() []abi.Finding { return e.Problems }

func (e *ManifestError) add(path, message, remedy string, commands ...string) {
	if len(e.Problems) == maxProblems {
		message, remedy = fmt.Sprintf("there are more than %d problems", maxProblems), "Correct these first."
		path, commands = "", nil
	} else if len(e.Problems) > maxProblems {
		return
	}
	e.Problems = append(e.Problems, abi.Finding{
		Code: "manifest.invalid", Severity: abi.SeverityDeny, Message: message, Path: path,
		Remedy: abi.Remedy{Summary: remedy, Commands: commands},
	})
}

// ParseManifest reads a manifest. Who owns it and what it may have is for the
// rules to judge; here its form is checked, and everything that is wrong is said
// at once. The error is a *ManifestError.
func ParseManifest(text []byte) (Manifest, error) {
	e := &ManifestError{}
	if len(text) > maxManifest {
		e.add("", fmt.Sprintf("the manifest has %d bytes, more than %d", len(text), maxManifest), "Keep data out of the manifest.")
		return Manifest{}, e
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // Windows' editors write it
	if what, remedy := notAManifest(text); what != "" {
		e.add("", what, remedy)
		return Manifest{}, e
	}
	var m Manifest
	dec := toml.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		e.decoding(text, err)
		return Manifest{}, e
	}
	e.check(m)
	if len(e.Problems) > 0 {
		return Manifest{}, e
	}
	return m, nil
}

func (e *ManifestError) decoding(text []byte, err error) {
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		for _, unknown := range strict.Errors[:min(len(strict.Errors), maxProblems+1)] {
			key := strings.Join(unknown.Key(), ".")
			row, _ := unknown.Position()
			remedy := "Remove it, or look up the keys in docs/manifest.md."
			if near := nearest(unknown.Key()); near != "" {
				remedy = fmt.Sprintf("Did you mean %s?", near)
			}
			e.add(key, fmt.Sprintf("line %d: the key %q is not known", row, clip(key, 80)), remedy)
		}
		return
	}
	if bad, ok := errors.AsType[*toml.DecodeError](err); ok {
		row, column := bad.Position()
		line := lineOf(text, row)
		e.add(strings.Join(bad.Key(), "."), fmt.Sprintf("line %d, column %d: %s: %s", row, column, readable(strings.TrimPrefix(bad.Error(), "toml: ")), line), syntaxRemedy(line))
		return
	}
	e.add("", strings.TrimPrefix(err.Error(), "toml: "), "Write TOML: key = \"value\", and tables as [limits].")
}

// nearest is the known key that was probably meant, or "".
func nearest(key toml.Key) string {
	last := key[len(key)-1]
	best, distance := "", 4
	for _, known := range knownKeys() {
		if d := editDistance(last, known); d < distance {
			best, distance = known, d
		}
	}
	return best
}

func knownKeys() []string {
	var keys []string
	for _, t := range []reflect.Type{reflect.TypeFor[Manifest](), reflect.TypeFor[Limits](), reflect.TypeFor[CapabilityAsk](),
		reflect.TypeFor[Triggers](), reflect.TypeFor[Static](), reflect.TypeFor[Opening](), reflect.TypeFor[CronTrigger](), reflect.TypeFor[WebhookTrigger](), reflect.TypeFor[EventTrigger]()} {
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
			keys = append(keys, name)
		}
	}
	return keys
}

// editDistance is Levenshtein's, for short words.
func editDistance(a, b string) int {
	if len(a) > 40 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func (e *ManifestError) check(m Manifest) {
	if err := ValidName(m.Name); err != nil {
		e.add("name", "name: "+err.Error(), "Choose a name that can stand in an address.", `name = "expenses"`)
	}
	for _, f := range []struct {
		path, value string
		max         int
	}{
		{"version", m.Version, 64}, {"title", m.Title, 100}, {"description", m.Description, 2000},
		{"owner", m.Owner, 254}, {"team", m.Team, 100}, {"cost_center", m.CostCenter, 64},
	} {
		if err := plainText(f.value, f.max); err != nil {
			e.add(f.path, f.path+" "+err.Error(), "Use plain text.")
		}
	}
	if m.Classification != "" && !slices.Contains(Classifications(), m.Classification) {
		e.add("data_classification", fmt.Sprintf("data_classification %q is not known", clip(m.Classification, 40)),
			"Use one of "+strings.Join(Classifications(), ", ")+".", `data_classification = "internal"`)
	}
	if err := plainText(m.WarmUp, 1000); err != nil || m.WarmUp != "" && !strings.HasPrefix(m.WarmUp, "/") {
		e.add("warm_up", "warm_up is no path", "Write the path of a page that changes nothing.", `warm_up = "/"`)
	}
	if m.WarmUp != "" && m.KeepState {
		e.add("warm_up", "warm_up has no meaning with keep_state: instances are warm after their first request", "Leave one of them out.")
	}
	e.checkIntent(m)
	e.checkFilledIn(m)
	e.checkDurability(m.Durability)
	e.checkLimits(m.Limits)
	e.checkTriggers(m)
	e.checkStatic(m.Static)
	e.checkOpening(m.Access)
	for _, word := range slices.Sorted(maps.Keys(m.Capabilities)) {
		e.checkCapability(m, word, m.Capabilities[word])
	}
	e.atMost("config", len(m.Config), maxSettings)
	for _, key := range slices.Sorted(maps.Keys(m.Config)) {
		if len(key) == 0 || len(key) > 128 || len(m.Config[key]) > 16<<10 || plainText(key, 128) != nil {
			e.add("config", fmt.Sprintf("config: the setting %q is empty or too long", clip(key, 40)), "Keep names under 128 bytes and values under 16 KiB.")
		}
	}
}

// atMost refuses a list that is too long, and reports whether it is not.
func (e *ManifestError) atMost(path string, n, most int) bool {
	if n > most {
		e.add(path, fmt.Sprintf("%s has %d entries, more than %d", path, n, most), "Leave some out, or split the app.")
	}
	return n <= most
}

// checkLists bounds what a capability lists.
func (e *ManifestError) checkLists(word string, ask CapabilityAsk) bool {
	fine := true
	for _, list := range []struct {
		name    string
		n, most int
	}{
		{"names", len(ask.Names), maxSecrets}, {"topics", len(ask.Topics), maxTopics}, {"models", len(ask.Models), maxModels},
		{"allow", len(ask.Allow), maxOrigins}, {"credentials", len(ask.Credentials), maxOrigins},
	} {
		fine = e.atMost("capabilities."+word+"."+list.name, list.n, list.most) && fine
	}
	return fine
}

func (e *ManifestError) checkDurability(class string) {
	switch class {
	case "", "process", "power":
	case "node":
		e.add("durability", `durability "node" needs a store that several nodes share, and this node keeps its usage on its own disk`,
			"Use power: calls then outlive the loss of power.", `durability = "power"`)
	default:
		e.add("durability", fmt.Sprintf("durability %q is not known", clip(class, 40)), "Use process or power.", `durability = "power"`)
	}
}

func (e *ManifestError) checkLimits(l Limits) {
	positive := func(path string, v, least int64) {
		if v != 0 && v < least {
			e.add("limits."+path, fmt.Sprintf("limits.%s is too small: the least is %d", path, least), "Leave it out for the default.")
		}
	}
	positive("memory", int64(l.Memory), 64<<10)
	positive("timeout", int64(l.Timeout), int64(time.Millisecond))
	positive("host_time", int64(l.HostTime), int64(time.Millisecond))
	if timeout := cmp.Or(l.Timeout, defaults.Timeout); l.HostTime > timeout {
		e.add("limits.host_time", fmt.Sprintf("limits.host_time is %s, more than limits.timeout, which is %s", time.Duration(l.HostTime), time.Duration(timeout)), "Lower it, or leave it out: then all of the timeout may pass in host calls.")
	}
	positive("request_body", int64(l.RequestBody), 1)
	positive("response_body", int64(l.ResponseBody), 1)
	positive("concurrency", int64(l.Concurrency), 1)
	if l.Fuel > math.MaxInt64/4 {
		e.add("limits.fuel", "limits.fuel is too large to count", "Leave it out for the default.")
	}
}

func (e *ManifestError) checkCapability(m Manifest, word string, ask CapabilityAsk) {
	capability, ok := abi.CapabilityNamed(word)
	if !ok {
		known := make([]string, 0)
		for _, c := range abi.Capabilities() {
			if c.Name != abi.CapabilitySubscribe {
				known = append(known, c.Name)
			}
		}
		e.add("capabilities."+word, fmt.Sprintf("the capability %q does not exist", clip(word, 40)), "Use one of "+strings.Join(known, ", ")+".")
		return
	}
	if !e.checkLists(word, ask) {
		return
	}
	for _, param := range slices.Sorted(maps.Keys(ask.Params())) {
		if !slices.Contains(capability.Params, param) {
			e.add("capabilities."+word, fmt.Sprintf("%s has no %s", word, param), "Remove it, or look up the keys in docs/manifest.md.")
		}
	}
	if word == abi.CapabilitySubscribe {
		if !slices.Equal(ask.Topics, m.foreignTopics()) {
			e.add("capabilities.subscribe", "what an app subscribes to is written as triggers", "Remove [capabilities.subscribe].", "[[triggers.event]]")
		}
		return
	}
	for _, topic := range ask.Topics {
		if !abi.ValidTopic(topic) {
			e.add("capabilities."+word+".topics", fmt.Sprintf("%q is no topic", clip(topic, 40)), "Use lower-case letters, digits and single dots.", `topics = ["orders.created"]`)
		}
	}
	for _, name := range ask.Names {
		if !abi.ValidSecretName(name) {
			e.add("capabilities."+word+".names", fmt.Sprintf("%q is no name of a secret", clip(name, 40)), "Use lower-case letters, digits and single hyphens.", `names = ["stripe"]`)
		}
	}
	if word == "secret" && len(ask.Names) == 0 {
		e.add("capabilities.secret.names", "the secrets that the app reads are not named", "Name them.", `names = ["stripe"]`)
	}
	if ask.Quota < 0 || ask.Keys < 0 {
		e.add("capabilities."+word, "a quota cannot be negative", "Write a size, or a number of keys.", `quota = "1MiB"`)
	}
	switch word {
	case "fetch":
		e.checkFetch(ask)
	case "llm":
		e.checkLLM(ask)
	}
}

// defaults apply where a manifest says nothing. Fuel is what the sandbox allows: a Go program with
// net/http or html/template can take a billion instructions for its start and its first page, and
// what no one wrote should not be what fails.
var defaults = Limits{
	Fuel: 2_000_000_000, Memory: 32 << 20, Timeout: Duration(5 * time.Second),
	RequestBody: 1 << 20, ResponseBody: 4 << 20, Concurrency: 16,
}

// What kv and blob keep if the manifest does not say.
const (
	defaultQuota     = 1 << 20
	defaultBlobQuota = 16 << 20
	DefaultKeys      = 10_000
)

// WithDefaults fills in every limit that was left out.
func (m Manifest) WithDefaults() Manifest {
	l := &m.Limits
	orDefault(&l.Fuel, defaults.Fuel)
	orDefault(&l.Memory, defaults.Memory)
	orDefault(&l.Timeout, defaults.Timeout)
	orDefault(&l.HostTime, l.Timeout)
	orDefault(&l.RequestBody, defaults.RequestBody)
	orDefault(&l.ResponseBody, defaults.ResponseBody)
	orDefault(&l.Concurrency, defaults.Concurrency)
	for word, quota := range map[string]Size{"kv": defaultQuota, "blob": defaultBlobQuota} {
		if ask, ok := m.Capabilities[word]; ok {
			orDefault(&ask.Quota, quota)
			orDefault(&ask.Keys, DefaultKeys)
			m.Capabilities = maps.Clone(m.Capabilities)
			m.Capabilities[word] = ask
		}
	}
	m.triggerDefaults()
	if fetch, ok := m.Capabilities["fetch"]; ok {
		m.Capabilities = maps.Clone(m.Capabilities)
		m.Capabilities["fetch"] = withFetchDefaults(fetch)
	}
	if llm, ok := m.Capabilities["llm"]; ok {
		m.Capabilities = maps.Clone(m.Capabilities)
		m.Capabilities["llm"] = withLLMDefaults(llm)
	}
	return m
}

func orDefault[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// TOML writes the manifest.
func (m Manifest) TOML() ([]byte, error) { return toml.Marshal(m) }

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1}, {"", 1}}

// UnmarshalText reads "32MiB", "512 KiB" or "1000".
func (s *Size) UnmarshalText(text []byte) error {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(string(text), u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/u.bytes {
			break
		}
		*s = Size(n * u.bytes)
		return nil
	}
	return fmt.Errorf("%q is no size: write 512KiB, 32MiB or a number of bytes", clip(string(text), 40))
}

// MarshalText writes a size in the largest unit that divides it.
func (s Size) MarshalText() ([]byte, error) {
	for _, u := range sizeUnits[:3] {
		if s != 0 && int64(s)%u.bytes == 0 {
			return fmt.Appendf(nil, "%d%s", int64(s)/u.bytes, u.name), nil
		}
	}
	return fmt.Appendf(nil, "%d", int64(s)), nil
}

// UnmarshalText reads "250ms" or "2s".
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is no duration: write 250ms or 2s", clip(string(text), 40))
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes a duration as Go does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// Milliseconds is the duration, rounded down.
func (d Duration) Milliseconds() int64 { return time.Duration(d).Milliseconds() }
