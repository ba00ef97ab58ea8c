package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/agora-host/agora/abi"
)

// What the owner is told names origins, which the app knows, and no address:
// no one shall map the node's networks with it.

func (g *grant) tellNotAllowed(ctx context.Context, origin abi.Origin) {
	g.o.Tell(ctx, g.app, abi.Finding{
		Code: "fetch.not_allowed", Severity: abi.SeverityDeny, Path: "capabilities.fetch.allow", Subject: origin.String(),
		Message: fmt.Sprintf("The app asked %s, which its grant does not list.", origin),
		Remedy: abi.Remedy{
			Summary:  "Add it to agora.toml and publish again; a reviewer decides.",
			Commands: []string{fmt.Sprintf("[capabilities.fetch]\nallow = [%q]", origin)},
		},
	})
}

// tellBound is about a number of the grant.
func (g *grant) tellBound(ctx context.Context, origin abi.Origin, param, message string) {
	g.o.Tell(ctx, g.app, abi.Finding{
		Code: "fetch." + param, Severity: abi.SeverityInfo, Path: "capabilities.fetch." + param, Subject: origin.String(), Message: message,
		Remedy: abi.Remedy{Summary: fmt.Sprintf("Do with less, or raise %s in agora.toml and publish again.", param)},
	})
}

func (g *grant) tellFailed(ctx context.Context, h *hop, err error) {
	if to, elsewhere := errors.AsType[notAllowed](err); elsewhere {
		g.tellNotAllowed(ctx, to.origin)
		return
	}
	f := abi.Finding{Code: "fetch.failed", Severity: abi.SeverityInfo, Path: "capabilities.fetch", Subject: h.origin.String()}
	f.Message = fmt.Sprintf("A request to %s failed: %s.", h.origin, why(err))
	f.Remedy.Summary = "Try the address from another machine; if it answers there, ask the node's operator."
	switch {
	case errors.Is(err, errPrivate):
		f.Code, f.Severity = "fetch.private", abi.SeverityDeny
		f.Remedy = abi.Remedy{Summary: "If apps shall reach that network, the node's operator has to allow it.", Commands: []string{"agora serve --egress-allow <network>"}}
	case errors.Is(err, errCredential):
		f.Code, f.Severity, f.Path = "fetch.credential", abi.SeverityDeny, "capabilities.fetch.credentials"
		f.Remedy = abi.Remedy{Summary: "Store the secret, or remove it from credentials.", Commands: []string{"agora secrets set " + g.app.Name + " <name>"}}
	case errors.Is(err, errTooLarge):
		f.Path, f.Remedy.Summary = "capabilities.fetch.max_response", "Ask for less of it, or raise max_response and publish again."
	}
	g.o.Tell(ctx, g.app, f)
}

// why is an error without what only the node's operator may know.
func why(err error) string {
	for _, own := range []error{errPrivate, errDowngrade, errTooLarge, errRedirects, errStatus, errLocation, errFull, errCredential} {
		if errors.Is(err, own) {
			return own.Error()
		}
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return "there is no such host"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "its certificate is not trusted"
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return "it took too long"
	}
	return "the connection could not be made, or broke"
}
