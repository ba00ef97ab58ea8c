package oidc

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
)

// Config is one provider as an operator describes it.
type Config struct {
	// ID names the provider in addresses: the redirect URI is <console>/auth/<ID>/callback.
	ID string `json:"id"`
	// Name is what people read on the button. Default: ID.
	Name string `json:"name"`
	// Issuer is the provider's issuer, exactly as its tokens have it.
	Issuer string `json:"issuer"`
	// ClientID is the console's name at the provider.
	ClientID string `json:"client_id"`
	// SecretFile holds the secret that the provider gave for it, alone. It is read with
	// the file; a relative path counts from the configuration's directory. ClientSecret is the secret
	// itself. Neither: a public client.
	SecretFile   string `json:"client_secret_file"`
	ClientSecret string `json:"client_secret"`
	// Subject is the claim that names a person for ever. Default "sub"; for Entra ID it is "oid",
	// since its "sub" is another one for each client.
	Subject string `json:"subject_claim"`
	// Groups is the claim with a person's groups. Default "groups".
	Groups string `json:"groups_claim"`
	// TrustEmail says that the provider checks the mail addresses of its people, where its tokens do
	// not say email_verified themselves: Entra ID's do not.
	TrustEmail bool `json:"trust_email"`
	// Scopes are asked for beside "openid". Default "profile" and "email".
	Scopes []string `json:"scopes"`
	// Hosts are the provider's hosts beside its issuer's: some have keys or tokens elsewhere.
	Hosts []string `json:"hosts"`
}

var idForm = regexp.MustCompile(`\A[a-z][a-z0-9-]{0,30}\z`)

// ErrConfig: a provider's description cannot be used.
var ErrConfig = errors.New("a sign-in provider is not described well")

// configError says which key of a description cannot be used.
type configError struct {
	key, text string
}

func (e *configError) Error() string { return fmt.Sprintf("%v: %s", ErrConfig, e.text) }
func (e *configError) Unwrap() error { return ErrConfig }

// withDefaults checks a description and fills in what it leaves out.
func (c Config) withDefaults() (Config, error) {
	bad := func(key, format string, args ...any) (Config, error) {
		return c, &configError{key, fmt.Sprintf("provider %q: %s", c.ID, fmt.Sprintf(format, args...))}
	}
	if !idForm.MatchString(c.ID) {
		return bad("id", "its id stands in addresses: write up to 31 lower-case letters, digits and hyphens, such as entra")
	}
	u, err := url.Parse(c.Issuer)
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return bad("issuer", "its issuer is an address such as https://login.example.com, exactly as the provider writes it")
	case u.Scheme != "https" && !loopback(u.Hostname()):
		return bad("issuer", "its issuer %s is not https: tokens of it could be anybody's", c.Issuer)
	case c.ClientID == "":
		return bad("client_id", "client_id is missing: register the console with the provider, which gives it one")
	}
	if c.Name == "" {
		c.Name = c.ID
	}
	if c.Subject == "" {
		c.Subject = "sub"
	}
	if c.Groups == "" {
		c.Groups = "groups"
	}
	if c.Scopes == nil {
		c.Scopes = []string{"profile", "email"}
	}
	c.Hosts = append(slices.Clone(c.Hosts), u.Host)
	return c, nil
}

func loopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }
