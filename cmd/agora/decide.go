package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/sdk/client"
)

// verdicts are what a person decides about requests, each as it was read.
type verdicts struct {
	client.Verdict
	concern, tag string
}

func (c requestCommands) decide(verb string, approve bool) *cobra.Command {
	var v verdicts
	var life lifetime
	var starts beginning
	cmd := &cobra.Command{
		Use: verb + " ID…", Short: strings.ToUpper(verb[:1]) + verb[1:] + " other people's requests", Args: cobra.MinimumNArgs(1),
		Long: `Votes about the release that a request names, which ` + "`agora requests show ID`" + ` shows. The vote
that the last stage waited for approves the request; one rejection ends it. With --digest,
only if that is its module; with --if-match, only if the request is as it was shown with
that etag. With neither, only if it has not changed since this command read it.

Several requests are decided together, with the one reason: all of them or, if one is
refused or has changed since this command read it, none. They have to ask for the same: one
capability in one tier, or to enter one tier. What one release asks for is decided with
` + "`agora releases " + verb + "`.",
		Example: "  agora requests " + verb + " req-7 --reason \"as discussed\"\n  agora requests " + verb + " req-7 req-9 req-12 --reason \"small and internal\"",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if v.Approve = approve; v.concern != "" {
				v.Concern = &v.concern
			}
			var err error
			if v.Until, err = life.end(time.Now()); err != nil {
				return err
			}
			if v.Starts, err = starts.moment(time.Now()); err != nil {
				return err
			}
			if len(args) == 1 {
				q, err := v.one(ctx, node, args[0])
				if err != nil {
					return err
				}
				return c.print(q, func(w io.Writer) error { return showDecided(w, q) })
			}
			if v.Digest != "" || v.tag != "" {
				return usageError("--digest and --if-match are about one request; name one, or leave them out")
			}
			return c.several(ctx, node, v, args)
		}),
	}
	cmd.Flags().StringVar(&v.Digest, "digest", "", "the module that you looked at, as agora requests show prints it")
	cmd.Flags().StringVar(&v.tag, "if-match", "", "the etag of the request that you looked at, as agora requests show prints it")
	cmd.Flags().StringVar(&v.Reason, "reason", "", "why; needed to reject")
	if approve {
		life.flags(cmd)
		starts.flags(cmd)
		cmd.Flags().StringVar(&v.concern, "concern", "", "vote as a reviewer of this concern: security, privacy, finance or platform")
	} else {
		cmd.Flags().StringVar(&v.Remedy, "remedy", "", "what would pass")
	}
	return cmd
}

// one decides about one request as it was read.
func (v verdicts) one(ctx context.Context, node *client.Client, id string) (client.Request, error) {
	if v.Digest == "" {
		q, err := node.Request(ctx, id)
		if err != nil {
			return q, err
		}
		v.Digest, v.tag = q.Digest, cmp.Or(v.tag, q.ETag)
	}
	return node.IfMatch(quoted(v.tag)).Vote(ctx, id, v.Verdict)
}

// several decides together about requests that ask for the same, each as it was read.
func (c requestCommands) several(ctx context.Context, node *client.Client, v verdicts, ids []string) error {
	var all client.ReleaseVerdict
	all.Verdict = v.Verdict
	for _, id := range ids {
		q, err := node.Request(ctx, id)
		if err != nil {
			return err
		}
		all.Parts = append(all.Parts, client.PartVerdict{ID: q.ID, Tag: q.ETag})
	}
	done, err := node.DecideRequests(ctx, all)
	if err != nil {
		return err
	}
	return c.print(done, func(w io.Writer) error {
		var rows [][]string
		for _, q := range done {
			rows = append(rows, []string{q.ID, q.App, fmt.Sprint(q.Release), what(q), q.Status})
		}
		return table(w, "REQUEST APP RELEASE ASKS-FOR STATUS", rows)
	})
}
