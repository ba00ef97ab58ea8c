package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/client"
)

// lifetime is when what is granted ends, as flags say it.
type lifetime struct{ until, span string }

func (l *lifetime) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.until, "until", "", "when what is granted ends: the last day on which it holds, in UTC (2027-01-31), or a moment (2027-01-31T18:00:00Z)")
	cmd.Flags().StringVar(&l.span, "for", "", "how long what is granted holds: 90d, 12h")
}

// end is that moment; zero if no flag says one.
func (l *lifetime) end(now time.Time) (time.Time, error) {
	switch {
	case l.until != "" && l.span != "":
		return time.Time{}, errors.New("--until and --for both say when it ends: write one of them")
	case l.span != "":
		d, err := period(l.span)
		if err != nil || d <= 0 {
			return time.Time{}, fmt.Errorf("--for %q is no time to live: write 90d, or 12h", l.span)
		}
		return now.Add(d).UTC().Truncate(time.Second), nil
	case l.until == "":
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, l.until); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	moment, err := time.Parse(time.RFC3339, l.until)
	if err != nil {
		return time.Time{}, fmt.Errorf("--until %q is no day and no moment: write 2027-01-31, or 2027-01-31T18:00:00Z", l.until)
	}
	return moment, nil
}

// beginning is when what is approved takes effect, as a flag says it.
type beginning struct{ at string }

func (b *beginning) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&b.at, "at", "", "when a promotion takes effect, if not at once: a moment (2027-01-31T06:00:00Z), or from now (36h, 2d); 30 days ahead at most")
}

// moment is that time; zero if no flag says one.
func (b *beginning) moment(now time.Time) (time.Time, error) {
	if b.at == "" {
		return time.Time{}, nil
	}
	if d, err := period(b.at); err == nil && d > 0 {
		return now.Add(d).UTC().Truncate(time.Second), nil
	}
	moment, err := time.Parse(time.RFC3339, b.at)
	if err != nil {
		return time.Time{}, usageError("--at %q is no moment: write 2027-01-31T06:00:00Z, or 36h from now", b.at)
	}
	return moment, nil
}

// holdsText says until when a grant holds, or that it holds no more.
func holdsText(g client.Grant, now time.Time) string {
	switch {
	case !g.Revoked.IsZero():
		return "revoked"
	case g.Emergency && now.Before(g.Expires):
		return fmt.Sprintf("EMERGENCY, by %s until %s, review open", g.By, when(g.Expires))
	case g.Expires.IsZero():
		return "holds"
	case !now.Before(g.Expires):
		return "ended " + when(g.Expires)
	}
	return "holds until " + when(g.Expires)
}

// endRows say how long a grant lives.
func endRows(g client.Grant, now time.Time) (rows [][]string) {
	if g.Expires.IsZero() {
		return [][]string{{"ends", "-"}}
	}
	ends := when(g.Expires)
	if certifiable(g) {
		ends += " unless a reviewer certifies it"
		if !g.Until.IsZero() {
			ends += "; at the latest " + when(g.Until)
		}
	}
	if !now.Before(g.Expires) {
		ends += ": it allows nothing any more"
	}
	rows = append(rows, []string{"ends", ends})
	if !g.Certified.IsZero() {
		rows = append(rows, []string{"certified by", g.CertifiedBy + ", " + when(g.Certified) + ": " + g.CertifiedFor})
	}
	return rows
}

func certifiable(g client.Grant) bool {
	return !g.Expires.IsZero() && (g.Until.IsZero() || g.Expires.Before(g.Until))
}

// lifeText says a tier's rule about how long its grants live.
func lifeText(r client.GrantRules) string {
	var words []string
	if r.Days > 0 {
		words = append(words, "at most "+strconv.Itoa(r.Days)+" days")
	}
	if r.CertifyDays > 0 {
		words = append(words, "certified every "+strconv.Itoa(r.CertifyDays)+" days")
	}
	if r.UnusedDays > 0 {
		words = append(words, "as long as it is used every "+strconv.Itoa(r.UnusedDays)+" days")
	}
	if len(words) == 0 {
		words = []string{"for ever"}
	}
	if r.EmergencyHours > 0 {
		words = append(words, fmt.Sprintf("in an emergency %d hours before its review", r.EmergencyHours))
	}
	return strings.Join(words, ", ")
}

func (c grantCommands) renew() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "renew ID", Short: "Ask for a grant anew, before its end or after it", Args: cobra.ExactArgs(1),
		Long: "Asks for the same capability in the same tier, for the release that serves there. A reviewer decides. Approved\nbefore the end of the grant, it leaves no gap: what runs goes on.",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			q, err := node.RenewGrant(ctx, args[0], reason)
			if err != nil {
				return err
			}
			return c.print(q, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s asks for %s for %s, to go on from %s. A reviewer decides.\n", q.ID, what(q), q.App, args[0])
				return err
			})
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "what it is still needed for")
	return cmd
}

func (c grantCommands) certify() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "certify ID", Short: "Say as a reviewer that a grant is still needed", Args: cobra.ExactArgs(1),
		Long: "Where the rules of a tier say so, a grant ends unless a reviewer certifies it from time to time: one who reviews what it is\nabout, and owns nothing of the app. It then holds until the next time, and not beyond the end that it was given.",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			g, err := node.CertifyGrant(ctx, args[0], reason)
			if err != nil {
				return err
			}
			return c.print(g, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s of %s to %s %s.\n", g.ID, g.Capability, g.App, holdsText(g, time.Now()))
				return err
			})
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why it is still needed")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

func (c grantCommands) emergency() *cobra.Command {
	var e client.Emergency
	var tier string
	cmd := &cobra.Command{
		Use: "emergency APP NUMBER CAPABILITY", Short: "Let a release use a capability before its review, for hours", Args: cobra.ExactArgs(3),
		Long: "For an emergency, where the rules of the tier have emergency_hours, by an owner of the app or an operator. It holds at once, for this\nrelease, and ends after those hours, or when its review is over. The review is asked for at once, and has to follow; reviewers,\noperators and the app's owners are told. It lifts no promotion, no signature, and nothing that the rules deny.",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			n, err := strconv.Atoi(args[1])
			if err != nil {
				return fmt.Errorf("%q is not the number of a release", args[1])
			}
			e.Release, e.Capability, e.Tier = n, args[2], abi.Tier(tier)
			made, err := node.BreakGlass(ctx, args[0], e)
			if err != nil {
				return err
			}
			return c.print(made, func(w io.Writer) error {
				g := made.Grant
				_, err := fmt.Fprintf(w, "EMERGENCY: release %d of %s has %s in the %s tier until %s, by %s.\nA reviewer has to decide about %s, which is open; rejected or taken back, it ends at once.\n", e.Release, g.App, g.Capability, g.Tier, when(g.Expires), g.ID, made.Request.ID)
				if err == nil && made.Routed {
					_, err = fmt.Fprintf(w, "The %s tier serves the release now.\n", g.Tier)
				}
				return err
			})
		}),
	}
	cmd.Flags().StringVar(&tier, "tier", "", "the tier: sandbox, pilot or production")
	cmd.Flags().StringVar(&e.Reason, "reason", "", "what the emergency is")
	cmd.Flags().IntVar(&e.Hours, "hours", 0, "for how many hours, of at most those that the rules of the tier say")
	for _, name := range []string{"tier", "reason", "hours"} {
		_ = cmd.MarkFlagRequired(name)
	}
	return cmd
}
