package registry

import (
	"slices"
	"strings"
)

// reserved are labels that are more than a name: something asks such a host by itself, or people
// take it for the platform's own. Of each kind it is said why. Sources: RFC 2142 (mailboxes and
// hosts of services), RFC 6761 and 6762 (special names), the auto-configuration of proxies, mail
// and tunnels (wpad, autodiscover, RFC 6186, RFC 5214), and what identity providers are called.
var reserved = []struct {
	why string
	// numbered: also with a number after it, as hosts of this kind are called.
	numbered bool
	words    string
}{
	{"machines ask this host for their configuration, and would take an app's word for it", true,
		"wpad isatap autodiscover autoconfig autoconfiguration mta-sts openpgpkey dmarc dkim domainkey spf acme-challenge acme well-known " +
			"pki ca crl ocsp ntp time dhcp proxy socks tunnel gateway router firewall vpn ldap ldaps kerberos kdc krb5 radius ad adfs"},
	{"programs take it for a host of mail or another service of the network", true,
		"mail email webmail smtp smtps imap imaps pop pop3 pops mx mx-in mx-out relayhost mailhost mailer mailer-daemon exchange owa lists listserv " +
			"ns dns nameserver resolver whois ftp ftps sftp ssh telnet rsync nfs smb uucp usenet nntp irc xmpp sip stun turn syslog snmp"},
	{"people take it for the place where they sign in", false,
		"login logon logout log-in log-out signin signout signup sign-in sign-out sign-up register registration sso saml oauth oauth2 oidc openid auth auth0 authn authz " +
			"authenticate authentication authorize authorization idp identity id account accounts my-account myaccount password passwords passwd reset-password mfa " +
			"2fa otp totp webauthn passkey passkeys token tokens session sessions credential credentials keycloak okta secure verify verification"},
	{"people take it for the platform's own", false,
		"agora api app apps console admin admins administrator administration root sysadmin superuser operator operators system platform dashboard control control-panel cpanel " +
			"manage management settings host hosts node nodes cluster docs-api catalogue catalog marketplace gateway internal intranet portal " +
			"registry releases policy grants approvals usage metrics healthz health livez readyz sandbox pilot production preview staging status problems " +
			"static assets cdn media www www-data web website home ww wwww m mobile billing payment payments pay invoice invoices"},
	{"people write to this name about abuse, security or faults", false,
		"abuse noc security postmaster hostmaster webmaster support helpdesk help-desk service-desk servicedesk info contact legal privacy compliance trust csirt cert psirt " +
			"no-reply noreply nobody"},
	{"it is a special name of the resolver", true,
		"localhost local localdomain broadcasthost loopback ip6-localhost ip6-loopback ip6-allnodes invalid onion arpa in-addr ip6 null undefined"},
}

// ReservedName reports whether a name is kept from apps, and why. It is asked of new apps alone:
// those that have such a name keep it.
func ReservedName(name string) (why string, is bool) {
	bare := strings.TrimRight(strings.TrimRight(name, "0123456789"), "-")
	for _, kind := range reserved {
		for word := range strings.FieldsSeq(kind.words) {
			if looksLike(name, word) || (kind.numbered || word == "www") && bare == word {
				return kind.why, true
			}
		}
	}
	if slices.Contains(strings.Split(name, "-"), "agora") {
		return "people take it for the platform's own", true
	}
	return "", false
}

// looksLike reports whether people could read a name as a word: hyphens that are moved, and digits
// that stand for letters, do not make another.
func looksLike(name, word string) bool {
	if name == word {
		return true
	}
	name, word = strings.ReplaceAll(name, "-", ""), strings.ReplaceAll(word, "-", "")
	return name == word || asLetters("i").Replace(name) == word || asLetters("l").Replace(name) == word
}

func asLetters(one string) *strings.Replacer {
	return strings.NewReplacer("0", "o", "1", one, "3", "e", "4", "a", "5", "s", "7", "t")
}
