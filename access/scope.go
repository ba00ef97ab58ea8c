package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

var (
	// ErrScope: the user may, and the token may not.
	ErrScope = errors.New("the token is not for that")
	// ErrBackup: a backup asks for more than a role; see MayBackUp.
	ErrBackup = errors.New("a backup asks for more than a role")
)

// Scope is an area of the API and what may be done there. What a token may do is what its user's
// roles allow and its scopes name, both.
type Scope string

// The scopes. ScopeAll is everything that the user may do but a backup, and but to open an app at its
// address: what is sent there is in the app's reach, and must be good for nothing else.
const (
	ScopeAll            Scope = "all"
	ScopeAppsRead       Scope = "apps:read"
	ScopeAppsPublish    Scope = "apps:publish"
	ScopeAppsManage     Scope = "apps:manage"
	ScopeAppsInvoke     Scope = "apps:invoke"
	ScopeAppsOpen       Scope = "apps:open"
	ScopeLogsRead       Scope = "logs:read"
	ScopeSecretsRead    Scope = "secrets:read"
	ScopeSecretsWrite   Scope = "secrets:write"
	ScopeUsageRead      Scope = "usage:read"
	ScopeEventsRead     Scope = "events:read"
	ScopeRequestsRead   Scope = "requests:read"
	ScopeRequestsWrite  Scope = "requests:write"
	ScopeRequestsDecide Scope = "requests:decide"
	ScopeKeysRead       Scope = "keys:read"
	ScopeKeysWrite      Scope = "keys:write"
	ScopeTokensRead     Scope = "tokens:read"
	ScopeTokensWrite    Scope = "tokens:write"
	ScopeUsersRead      Scope = "users:read"
	ScopeUsersWrite     Scope = "users:write"
	ScopeNodeRead       Scope = "node:read"
	ScopeNodeWrite      Scope = "node:write"
	ScopeMetricsRead    Scope = "metrics:read"
	ScopeBackupRead     Scope = "backup:read"
)

// ScopeInfo describes a scope.
type ScopeInfo struct {
	Scope   Scope
	Meaning string // after "may"
}

var scopes = []ScopeInfo{
	{ScopeAll, "do everything that its user may do through the API, except read a backup"},
	{ScopeAppsRead, "read apps, releases, triggers, dead letters, host names, quotas and policy"},
	{ScopeAppsPublish, "sign and upload releases, and ask for tiers and capabilities"},
	{ScopeAppsManage, "activate, roll back and delete, and operate triggers and dead letters"},
	{ScopeAppsInvoke, "call apps through the API"},
	{ScopeAppsOpen, "open one app at its own address, and nothing else: the token is bound to it, and has no other scope"},
	{ScopeLogsRead, "read the logs of apps"},
	{ScopeSecretsRead, "list the names of secrets"},
	{ScopeSecretsWrite, "set and delete secrets"},
	{ScopeUsageRead, "read usage and samples of calls"},
	{ScopeEventsRead, "read the feed of changes"},
	{ScopeRequestsRead, "read requests and grants"},
	{ScopeRequestsWrite, "comment on requests, and answer what was asked of one's own"},
	{ScopeRequestsDecide, "decide requests, and revoke and shrink grants"},
	{ScopeKeysRead, "list signing keys"},
	{ScopeKeysWrite, "add and remove signing keys"},
	{ScopeTokensRead, "list its user's tokens"},
	{ScopeTokensWrite, "revoke its user's tokens, and make others with no more than its own scopes"},
	{ScopeUsersRead, "list users and groups"},
	{ScopeUsersWrite, "add users, change their roles, and keep groups"},
	{ScopeNodeRead, "run the doctor's checks, and see which quotas were set"},
	{ScopeNodeWrite, "manage host names, set quotas, and rotate the key of secrets"},
	{ScopeMetricsRead, "read /metrics"},
	{ScopeBackupRead, "read a backup"},
}

// Scopes lists all scopes with what they allow.
func Scopes() []ScopeInfo { return slices.Clone(scopes) }

// ScopeWords are the names of all scopes.
func ScopeWords() (words []string) {
	for _, s := range scopes {
		words = append(words, string(s.Scope))
	}
	return words
}

// DefaultScopes are those of a new token for which none are named: to look, and no more.
func DefaultScopes() []Scope { return []Scope{ScopeAppsRead, ScopeRequestsRead, ScopeUsageRead} }

// Bounds of what a backup asks for beside the role.
const (
	// FreshFor is how long after its user signed in a session may read a backup.
	FreshFor = 15 * time.Minute
	// BackupTokenLife is the most that a token with ScopeBackupRead lives.
	BackupTokenLife = 31 * 24 * time.Hour
)

// MaxApps is the most apps that a token can be bound to.
const MaxApps = 20

// Reach is what of its user's rights a credential carries.
type Reach struct {
	// Scopes name what it may do. None, as before there were scopes, is ScopeAll.
	Scopes []Scope `json:"scopes,omitempty"`
	// Apps are the only ones that it reaches; none: all.
	Apps []string `json:"apps,omitempty"`
}

// Whole reports whether a reach leaves nothing out but a backup.
func (r Reach) Whole() bool { return len(r.Apps) == 0 && r.has(ScopeAll) }

// named are the scopes as if none had never been a way to say all.
func (r Reach) named() []Scope {
	if len(r.Scopes) == 0 {
		return []Scope{ScopeAll}
	}
	return r.Scopes
}

// OpensApp reports whether a reach is to open one app at its own address.
func (r Reach) OpensApp() bool {
	return len(r.Apps) == 1 && len(r.Scopes) == 1 && r.Scopes[0] == ScopeAppsOpen
}

// Opens reports whether a reach is to open that app at its own address.
func (r Reach) Opens(app string) bool { return r.OpensApp() && r.Apps[0] == app }

func (r Reach) has(s Scope) bool {
	named := r.named()
	return slices.Contains(named, s) || (s != ScopeBackupRead && s != ScopeAppsOpen && slices.Contains(named, ScopeAll))
}

// Allows returns an error unless the reach has a scope.
func (r Reach) Allows(s Scope) error {
	if r.has(s) {
		return nil
	}
	return &ScopeError{Missing: s, Has: r.Scopes}
}

// AllowsApp returns an error unless the reach has an app; "" is what is about no single app.
func (r Reach) AllowsApp(app string) error {
	if len(r.Apps) == 0 || slices.Contains(r.Apps, app) {
		return nil
	}
	if app == "" {
		return fmt.Errorf("this token is bound to %s, and what it asks for is about no single app: %w", strings.Join(r.Apps, ", "), ErrScope)
	}
	return fmt.Errorf("this token is bound to %s, and not to %q: %w", strings.Join(r.Apps, ", "), app, ErrScope)
}

// Inside returns an error unless all that r reaches is in another reach.
func (r Reach) Inside(outer Reach) error {
	for _, s := range r.named() {
		if err := outer.Allows(s); err != nil {
			return err
		}
	}
	if len(outer.Apps) > 0 && len(r.Apps) == 0 {
		return outer.AllowsApp("")
	}
	for _, app := range r.Apps {
		if err := outer.AllowsApp(app); err != nil {
			return err
		}
	}
	return nil
}

// Check returns an error unless each scope is in the table and each is named once.
func (r Reach) Check() error {
	for i, s := range r.Scopes {
		if !slices.ContainsFunc(scopes, func(k ScopeInfo) bool { return k.Scope == s }) {
			return fmt.Errorf("%w: there is no scope %.60q; the scopes are %s", ErrBadUser, s, strings.Join(ScopeWords(), ", "))
		}
		if slices.Contains(r.Scopes[:i], s) {
			return fmt.Errorf("%w: the scope %s stands twice", ErrBadUser, s)
		}
	}
	if slices.Contains(r.Scopes, ScopeAppsOpen) && !r.OpensApp() {
		return fmt.Errorf("%w: the scope %s stands alone, in a token that is bound to one app", ErrBadUser, ScopeAppsOpen)
	}
	if len(r.Apps) > MaxApps {
		return fmt.Errorf("%w: a token is bound to at most %d apps", ErrBadUser, MaxApps)
	}
	return nil
}

// ScopeError says which scope a token lacks.
type ScopeError struct {
	Missing Scope
	Has     []Scope
}

func (e *ScopeError) Error() string {
	has := "everything but a backup"
	if len(e.Has) > 0 {
		words := make([]string, len(e.Has))
		for i, s := range e.Has {
			words[i] = string(s)
		}
		has = strings.Join(words, ", ")
	}
	return fmt.Sprintf("this needs the scope %s, and the token has %s: %v", e.Missing, has, ErrScope)
}

func (e *ScopeError) Unwrap() error { return ErrScope }

// MayBackUp returns an error unless an actor may read a backup now, which holds the node's keys:
// whoever has it can sign as anybody. Beside the role it asks for a token that names
// ScopeBackupRead, or for a session that began a moment ago and that no token stands behind. An
// actor without a credential is the process itself.
func MayBackUp(a Actor, now time.Time) error {
	if err := Require(a, RoleOperator); err != nil || a.Credential == "" {
		return err
	}
	if a.Via == KindToken && a.has(ScopeBackupRead) {
		return nil
	}
	return fresh(a, now)
}

func fresh(a Actor, now time.Time) error {
	if a.Via == KindSession && a.Parent == "" && now.Before(a.Since.Add(FreshFor)) {
		return nil
	}
	return fmt.Errorf("this %s does not name the scope %s, and is no session of the last %d minutes: %w", a.Via, ScopeBackupRead, FreshFor/time.Minute, ErrBackup)
}

// MayGive returns an error unless an actor may make a token of a reach that lives for ttl. No one
// gives more than they have; a backup is given away only right after signing in.
func MayGive(a Actor, r Reach, ttl time.Duration, now time.Time) error {
	if err := r.Check(); err != nil {
		return err
	}
	if r.OpensApp() { // which no scope includes: it is given by those who are limited in nothing
		if !a.Whole() {
			return fmt.Errorf("a token with the scope %s is made in a session, or with a token that is not limited: %w", ScopeAppsOpen, ErrScope)
		}
		return nil
	}
	outer, backup := a.Reach, slices.Contains(r.Scopes, ScopeBackupRead)
	if backup { // which is judged below, by more than the scope
		outer.Scopes = append(slices.Clone(outer.named()), ScopeBackupRead)
	}
	if err := r.Inside(outer); err != nil || !backup {
		return err
	}
	if ttl <= 0 || ttl > BackupTokenLife {
		return fmt.Errorf("%w: a token with the scope %s lives at most %d days", ErrBadUser, ScopeBackupRead, BackupTokenLife/(24*time.Hour))
	}
	if len(r.Apps) > 0 {
		return fmt.Errorf("%w: a backup has every app, so a token that is bound to some cannot have the scope %s", ErrBadUser, ScopeBackupRead)
	}
	if a.Credential == "" || (a.Via == KindToken && a.has(ScopeBackupRead)) {
		return nil
	}
	return fresh(a, now)
}
