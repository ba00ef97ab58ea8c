package registry_test

import (
	"testing"

	"github.com/agora-host/agora/registry"
)

func TestReservedNames(t *testing.T) {
	for _, name := range []string{
		"wpad", "isatap", "autodiscover", "autoconfig", "mta-sts", "sso", "oauth", "oauth2", "account", "accounts", "login", "log-in", "l0gin", "log1n", "auth", "idp",
		"admin", "adm1n", "administrator", "root", "r00t", "api", "console", "c0nsole", "agora", "agora-login", "my-agora", "www", "www2", "mail", "ma1l", "mail-01", "webmail", "smtp", "smtp2", "imap", "pop", "pop3",
		"mx", "mx1", "ns", "ns1", "ns2", "dns", "ftp", "vpn", "static", "cdn", "status", "support", "security", "abuse", "postmaster", "hostmaster", "webmaster", "noc", "localhost",
		"localdomain", "broadcasthost", "sandbox", "pilot", "production", "signin", "sign-in", "password", "no-reply", "gateway", "portal", "acme-challenge", "well-known",
	} {
		if why, is := registry.ReservedName(name); !is || why == "" {
			t.Errorf("%s is free", name)
		}
	}
	for _, name := range []string{
		"hello", "guestbook", "quote", "ticker", "digest", "relay", "shop", "expenses", "mall", "x1", "app1", "app-two", "wiki", "calendar", "lunch", "r2", "orders", "one", "nsa", "maillist-x", "holiday-2026", "a",
	} {
		if why, is := registry.ReservedName(name); is {
			t.Errorf("%s is reserved: %s", name, why)
		}
	}
	for _, name := range []string{"xn--80ak6aa92e", "127", "0x7f000001", "127-0-0-1", "r1--hello", "sandbox--hello", "_dmarc", "_acme-challenge", "-a", "a-", "", "A", "a.b", "a_b"} {
		if registry.ValidName(name) == nil {
			t.Errorf("%q can be a name", name)
		}
	}
}
