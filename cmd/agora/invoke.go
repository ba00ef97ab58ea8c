package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/sdk/client"
)

// callCommands call apps, and show what came of it: their logs and what they used.
type callCommands struct{ *session }

func (c callCommands) invoke() *cobra.Command {
	var call client.Call
	var headers []string
	var data string
	cmd := &cobra.Command{
		Use:     "invoke APP [PATH]",
		Short:   "Call an app and see what it cost",
		Long:    "Calls an app as its own address would. The response goes to the standard output, what it cost to the standard error.",
		Example: "  agora invoke hello '/?name=Ada'\n  agora invoke guestbook / -X POST -d 'name=Ada&text=hi' -H 'Content-Type: application/x-www-form-urlencoded'",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				call.Path = args[1]
			}
			if err := fillCall(&call, headers, data, cmd.Flags().Changed("data")); err != nil {
				return err
			}
			node, err := c.node()
			if err != nil {
				return err
			}
			r, err := node.Invoke(cmd.Context(), args[0], call)
			if err != nil {
				return err
			}
			return c.print(r, func(w io.Writer) error {
				fmt.Fprintf(c.err, "HTTP %d from release %d: %s instructions, %s in the guest, %s in host calls, %s of memory\n", r.Status, r.Release,
					humanize.Count(r.Instructions), humanize.Micros(r.GuestMicros), humanize.Micros(r.HostMicros), humanize.Bytes(r.MemoryKiB<<10))
				body := string(r.Body)
				if f, ok := w.(*os.File); ok && isTerminal(f) {
					body = strings.TrimSuffix(printableLines(body), "\n") + "\n"
				}
				_, err := io.WriteString(w, body)
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVarP(&call.Method, "method", "X", "", "HTTP method (default GET, or POST with --data)")
	f.StringArrayVarP(&headers, "header", "H", nil, "a header, as 'Name: value'; may be repeated")
	f.StringVarP(&data, "data", "d", "", "request body; @FILE reads a file")
	f.IntVar(&call.Release, "release", 0, "a release by its number (default: the one that serves)")
	return cmd
}

func fillCall(call *client.Call, headers []string, data string, hasData bool) error {
	call.Header = map[string][]string{}
	for _, h := range headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return usageError("header %q: write 'Name: value'", h)
		}
		call.Header[name] = append(call.Header[name], strings.TrimSpace(value))
	}
	if hasData {
		call.Body = []byte(data)
		if file, ok := strings.CutPrefix(data, "@"); ok {
			b, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			call.Body = b
		}
		if call.Method == "" {
			call.Method = "POST"
		}
	}
	return nil
}

func (c callCommands) logs() *cobra.Command {
	var lines int
	var follow bool
	var call string
	cmd := &cobra.Command{
		Use: "logs [APP]", Short: "Show an app's log, or what is known of one call", Args: cobra.MaximumNArgs(1),
		Long: `Shows an app's log. With --call it shows one call, by the id that its caller was given on the
page of an error or in the Agora-Invocation header: how it ended, what it cost and what it wrote;
the app need not be named. Calls that failed or were refused are kept as long as the app's log (its
last 1 to 2 MiB); of others the slowest of each hour and some at random are kept.`,
		Example: "  agora logs hello -n 200\n  agora logs --call 3f0c9a5d2be14c7780d1e6aa",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if call != "" {
				return c.showCall(ctx, node, append(args, "")[0], call, follow)
			}
			if len(args) == 0 {
				return usageError("name an app, or a call with --call")
			}
			log, err := node.Logs(ctx, args[0], lines)
			if err != nil {
				return err
			}
			if c.output == "json" && !follow {
				if log == nil {
					log = []client.LogLine{}
				}
				return c.print(log, nil)
			}
			if len(log) == 0 && !follow {
				_, err := fmt.Fprintf(c.err, "%s has logged nothing yet.\n", args[0])
				return err
			}
			if err := printLog(c.out, log); err != nil || !follow {
				return err
			}
			t := tail{out: c.out, node: node, app: args[0]}
			t.after(log)
			return t.follow(ctx)
		}),
	}
	cmd.Flags().IntVarP(&lines, "lines", "n", 50, "how many lines; 0 for all that are kept")
	cmd.Flags().StringVar(&call, "call", "", "show one call, by its id")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on as lines come, until interrupted")
	return cmd
}

// showCall shows what is known of one call.
func (c callCommands) showCall(ctx context.Context, node *client.Client, app, id string, follow bool) error {
	if follow {
		return usageError("a call is over, so --call and --follow do not go together")
	}
	call, err := node.FindCall(ctx, app, id)
	if err != nil {
		return err
	}
	return c.print(call, func(w io.Writer) error {
		outcome := call.Outcome
		switch {
		case call.Outcome == "":
			outcome = "not noted as failed"
		case call.Status != 0:
			outcome += fmt.Sprintf(" with status %d", call.Status)
		}
		if call.Problem != nil {
			outcome += ": " + call.Problem.Title
		}
		rows := [][]string{{"call", call.ID}, {"app", call.App + ", owned by " + call.Owner + ", team " + orDash(call.Team)}, {"outcome", outcome}, {"at", moments(call.At)}}
		if call.Release != 0 {
			rows = append(rows, []string{"release", strings.TrimSpace(fmt.Sprintf("%d %s", call.Release, call.Tier))})
		}
		if call.Trigger != "" {
			rows = append(rows, []string{"caller", call.Trigger}, []string{"took", humanize.Micros(call.GuestMicros) + " in the app, " + humanize.Micros(call.HostMicros) + " waiting"},
				[]string{"fuel", humanize.Plural(call.Instructions, "instruction", "instructions")})
		}
		if call.MemoryKiB > 0 {
			rows = append(rows, []string{"memory", humanize.Bytes(call.MemoryKiB << 10)})
		}
		if err := table(w, "", rows); err != nil {
			return err
		}
		if p := call.Problem; p != nil {
			fmt.Fprintf(w, "\n→ %s\n", printable(p.Remedy.Summary))
		}
		fmt.Fprintln(w)
		return printLog(w, call.Lines)
	})
}

func printLog(w io.Writer, lines []client.LogLine) error {
	for _, l := range lines {
		if _, err := fmt.Fprintf(w, "%s r%d %-5s %s: %s\n", l.At.Local().Format(logTime), l.Release, l.Level, l.Source, strings.ReplaceAll(printableLines(l.Message), "\n", "\n    ")); err != nil {
			return err
		}
	}
	return nil
}

// tail shows the lines of an app's log as they come: each once, in their order.
type tail struct {
	out  io.Writer
	node *client.Client
	app  string
	last time.Time // of the newest line that was shown
}

// after has a tail begin behind lines that were shown already.
func (t *tail) after(lines []client.LogLine) {
	if len(lines) > 0 {
		t.last = lines[len(lines)-1].At
	}
}

// follow asks again each second, until it is interrupted.
func (t *tail) follow(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
		if err := t.more(ctx); ctx.Err() != nil {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// more shows the lines that came since.
func (t *tail) more(ctx context.Context) error {
	lines, err := t.node.Logs(ctx, t.app, 1000)
	if err != nil {
		return err
	}
	for i, l := range lines {
		if l.At.After(t.last) {
			t.after(lines)
			return printLog(t.out, lines[i:])
		}
	}
	return nil
}
