package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// target is the ratio of a signed-in request to an open one that the gate is built for.
const target = 0.97

// visited is an app as one person opens it.
type visited struct {
	title, host, cookie string
	rates               []float64 // of each turn, in a second of the processors'
	total               []float64 // of each turn, in a second
}

// benchSigned asks one app that is public, one that is for whoever is signed in, and one that is told who
// calls besides, in turns of one run: what a sign-in costs each request. The median of the ratios within a turn
// is compared with the target.
func benchSigned(ctx context.Context, span time.Duration) error {
	n, err := startNode(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = n.close(ctx) }()
	all, err := n.visits(ctx)
	if err != nil {
		return err
	}
	const laps = 10 * turns // short ones, close to each other: what else the machine does falls on all alike
	for lap := range laps {
		for i := range all {
			v := all[(i+lap)%len(all)] // none is always the first
			before := processTime()
			m, err := driveAs(v.cookie, clients, n.Addr().String(), []string{v.host}, "/", nil, span/laps)
			if err != nil {
				return fmt.Errorf("%s: %w", v.title, err)
			}
			v.rates = append(v.rates, float64(len(m.times))/(processTime()-before).Seconds())
			v.total = append(v.total, m.perSecond)
		}
	}
	fmt.Printf("\nSigned in: %d connections, kept alive, %s each in %d turns; ratios are to the open app of the same turn, of requests in a second of the processors', which what else runs disturbs less\n\n", clients, span, laps)
	fmt.Println("| app | requests/s | ratio | lowest | highest |")
	fmt.Println("|---|---:|---:|---:|---:|")
	for _, v := range all {
		var ratios []float64
		for i, rate := range v.rates {
			ratios = append(ratios, rate/all[0].rates[i])
		}
		fmt.Printf("| %s | %.0f | %.3f | %.2f | %.2f |\n", v.title, median(v.total), median(ratios), slices.Min(ratios), slices.Max(ratios))
	}
	fmt.Printf("\nThe target is %.2f for a person who is signed in.\n", target)
	return nil
}

// visits publishes the apps, and opens them for one person.
func (n *benchNode) visits(ctx context.Context) (all []*visited, err error) {
	link, err := n.People.Welcome(ctx, owner, access.RoleDeveloper)
	if err != nil {
		return nil, err
	}
	_, one, _ := strings.Cut(link, "link=")
	session, _, err := n.People.SignIn(ctx, one)
	if err != nil {
		return nil, err
	}
	for _, v := range []struct {
		title, name, more string
		kind              string
	}{
		{"open", "open", "", ""},
		{"signed in", "signed", "", "organisation"},
		{"signed in, and told who calls", "told", "[access]\nidentity = \"pseudonym\"\n", "organisation"},
	} {
		manifest := fmt.Sprintf("name = %q\nversion = \"1\"\nowner = %q\nteam = \"a\"\ncost_center = \"c\"\ndata_classification = \"internal\"\ndurability = \"process\"\n%s[limits]\nconcurrency = 32\n", v.name, owner, v.more)
		host, err := n.upload(ctx, manifest, workloads[0].module)
		if err != nil {
			return nil, err
		}
		app := &visited{title: v.title, host: host}
		if v.kind != "" {
			if _, err := n.api.SetAudience(ctx, client.Audience{App: v.name, Tier: abi.TierSandbox, Kind: v.kind}, ""); err != nil {
				return nil, err
			}
		}
		// The open app is sent a cookie, too: browsers have theirs everywhere, and what the sign-in costs is the check.
		if app.cookie, err = signOn(ctx, n.Node, session, v.name, host); err != nil {
			return nil, err
		}
		all = append(all, app)
	}
	return all, nil
}

// signOn makes a session at an app's address, as a browser does that is signed in to the console.
func signOn(ctx context.Context, n *node.Node, session, app, host string) (cookie string, err error) {
	verifier := strings.Repeat("v", 43)
	code, err := n.SignOn.Authorize(ctx, session, host, access.Challenge(verifier))
	if err != nil {
		return "", err
	}
	secret, err := n.SignOn.Redeem(ctx, code.Secret, verifier, app, host)
	return "Cookie: __Host-agora_app=" + secret, err
}
