package registry

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"github.com/agora-host/agora/abi"
)

// maxOrigins is how many origins or credentials an app may list.
const maxOrigins = 64

// What a fetch may be if the manifest does not say.
const (
	defaultFetchCalls = 16
	defaultFetchSize  = 1 << 20
	defaultFetchGot   = 4 << 20
)

// checkFetch checks what an app wants to reach. Each origin has one form, so
// that what is reviewed, compared and dialled is the same text.
func (e *ManifestError) checkFetch(ask CapabilityAsk) {
	const path = "capabilities.fetch."
	if len(ask.Allow) == 0 {
		e.add(path+"allow", "fetch says not whom the app asks", "List the origins.", `allow = ["https://api.example.com"]`)
	}
	if ask.MaxCalls < 0 || ask.MaxRequest < 0 || ask.MaxResponse < 0 {
		e.add("capabilities.fetch", "a limit of fetch cannot be negative", "Leave it out for the default.")
	}
	var patterns []abi.OriginPattern
	for _, text := range ask.Allow {
		p, err := abi.ParseOriginPattern(text)
		switch {
		case err != nil:
			e.add(path+"allow", fmt.Sprintf("allow %q %s", clip(text, 100), err), "Write scheme, host and port, and nothing else.", fmt.Sprintf("allow = [%q]", nearOrigin(text)))
		case p.String() != text:
			e.add(path+"allow", fmt.Sprintf("allow %q is not in its usual form", clip(text, 100)), "Write it this way.", fmt.Sprintf("allow = [%q]", p))
		case p.Wild && isRegistry(p.Host):
			e.add(path+"allow", fmt.Sprintf("allow %q covers every site below %s", clip(text, 100), p.Host), "Name the site.", `allow = ["https://*.example.com"]`)
		default:
			patterns = append(patterns, p)
		}
	}
	for _, text := range ask.Credentials {
		c, err := abi.ParseFetchCredential(text)
		if err == nil && !slices.ContainsFunc(patterns, func(p abi.OriginPattern) bool { return p.Allows(c.Origin) }) {
			err = fmt.Errorf("is for %s, which allow does not list", c.Origin)
		}
		if err != nil {
			e.add(path+"credentials", fmt.Sprintf("credential %q %s", clip(text, 100), err), "Write the secret's name and the origin that gets it.", `credentials = ["crm@https://crm.example.com"]`)
		}
	}
}

// isRegistry reports whether anybody can register names below this one.
func isRegistry(host string) bool {
	suffix, _ := publicsuffix.PublicSuffix(host)
	return suffix == host
}

// nearOrigin is what was probably meant.
func nearOrigin(text string) string {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		scheme, rest = "https", text
	}
	rest, _, _ = strings.Cut(rest, "/")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	wild := ""
	if name, found := strings.CutPrefix(rest, "*."); found {
		wild, rest = "*.", name
	}
	if ascii, err := idna.Lookup.ToASCII(rest); err == nil {
		rest = ascii
	}
	if p, err := abi.ParseOriginPattern(scheme + "://" + wild + rest); err == nil {
		return p.String()
	}
	return "https://api.example.com"
}

// withFetchDefaults fills in what the manifest does not say.
func withFetchDefaults(ask CapabilityAsk) CapabilityAsk {
	orDefault(&ask.MaxCalls, defaultFetchCalls)
	orDefault(&ask.MaxRequest, defaultFetchSize)
	orDefault(&ask.MaxResponse, defaultFetchGot)
	return ask
}
