package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/access/oidc"
	"github.com/agora-host/agora/sdk/client"
)

// exchange trades the token of a CI's job.
func (c tokenCommands) exchange() *cobra.Command {
	var from, audience, out string
	var scopes []string
	cmd := &cobra.Command{
		Use: "exchange", Short: "Exchange the token of a CI's job for one of a service account", Args: cobra.NoArgs,
		Long: `Brings the OpenID Connect token that a CI gave to a job to the node, which exchanges it
once, by its rules (docs/workloads.md), for a token of a service account that lives 15
minutes, and prints that. With --from the CI's token is read from a file, or from
standard input for -. Without it, in a job of GitHub Actions that has the permission
id-token: write, GitHub is asked for one.`,
		Example: "  export AGORA_TOKEN=$(agora tokens exchange --url https://agora.example.com)\n  agora tokens exchange --url https://agora.example.com --from ci.jwt --scope apps:read --out agora.token\n  printf %s \"$AGORA_ID_TOKEN\" | agora tokens exchange --url https://agora.example.com --from -",
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := c.target()
			if err != nil {
				return err
			}
			if audience == "" {
				audience = at.URL
			}
			token, err := c.ciToken(cmd.Context(), from, audience)
			if err != nil {
				return err
			}
			node, err := client.New(at.URL, "")
			if err != nil {
				return err
			}
			got, err := exchangeWhenUp(cmd.Context(), node, token, strings.Join(scopes, " "))
			if err != nil {
				return err
			}
			if out != "" {
				if err := writeSecret(out, got.AccessToken); err != nil {
					return err
				}
				got.AccessToken = ""
			}
			return c.print(got, func(w io.Writer) error {
				fmt.Fprintf(c.err, "It acts as %s by the rule %s for %d minutes, and may: %s.\n", got.User, got.Rule, got.ExpiresIn/60, got.Scope)
				if out == "" {
					_, err = fmt.Fprintln(w, got.AccessToken)
				}
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "file with the CI's token, or - for standard input (default GitHub is asked for one)")
	f.StringVar(&audience, "audience", "", "for which GitHub makes the token (default the node's address)")
	f.StringSliceVar(&scopes, "scope", nil, "some of the rule's scopes; may be repeated (default all of them)")
	f.StringVar(&out, "out", "", "write the token to this file, which only you can read, and do not print it")
	_ = cmd.RegisterFlagCompletionFunc("scope", cobra.FixedCompletions(access.ScopeWords(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// ciToken reads the token of a job.
func (c tokenCommands) ciToken(ctx context.Context, from, audience string) (string, error) {
	if from != "" {
		raw, err := accessCommands(c).readAll(from)
		if err == nil && len(strings.TrimSpace(string(raw))) == 0 {
			err = fmt.Errorf("%s has no token", from)
		}
		return strings.TrimSpace(string(raw)), err
	}
	address, secret := os.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), os.Getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if address == "" || secret == "" {
		return "", usageError("say with --from where the CI's token is; in GitHub Actions, give the job the permission id-token: write")
	}
	return githubToken(ctx, address, secret, audience)
}

// githubToken asks GitHub for a token of the job that runs.
func githubToken(ctx context.Context, address, secret, audience string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("ACTIONS_ID_TOKEN_REQUEST_URL: %w", err)
	}
	q := u.Query()
	q.Set("audience", audience)
	u.RawQuery = q.Encode()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", fmt.Errorf("ask GitHub for the token of the job: %w", err)
	}
	defer res.Body.Close()
	var answer struct {
		Value string `json:"value"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxClaims)).Decode(&answer); err != nil || res.StatusCode != http.StatusOK || answer.Value == "" {
		return "", fmt.Errorf("ask GitHub for the token of the job: it responds with %s and no token", res.Status)
	}
	return answer.Value, nil
}

// exchangeWhenUp exchanges a token, and tries again for a while if its issuer does not respond to the node.
func exchangeWhenUp(ctx context.Context, node *client.Client, token, scope string) (got client.Exchanged, err error) {
	for range 4 {
		got, err = node.ExchangeToken(ctx, token, scope)
		if p, ok := errors.AsType[*client.Problem](err); !ok || p.Type != "/problems/issuer-down" {
			return got, err
		}
		select {
		case <-ctx.Done():
			return got, ctx.Err()
		case <-time.After(5 * time.Second):
		}
	}
	return got, err
}

// writeSecret writes a file that only its owner can read, also if it was there.
func writeSecret(path, secret string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err = f.Chmod(0o600); err == nil {
		_, err = f.WriteString(secret + "\n")
	}
	return errors.Join(err, f.Close())
}

// triedRule is what a rule makes of a job.
type triedRule struct {
	Rule    string   `json:"rule"`
	Account string   `json:"service_account"`
	Scopes  []string `json:"scopes"`
	Apps    []string `json:"apps,omitempty"`
	Unmet   string   `json:"unmet,omitempty"` // what is not as it requires
	Gives   bool     `json:"gives"`           // it is the first that the job meets
}

// tryWorkload says what the rules of a file make of a job's claims.
func (c accessCommands) tryWorkload(path, claims string) (tried []triedRule, err error) {
	f, err := oidc.Load(path)
	if err != nil {
		return nil, err
	}
	raw, err := c.readAll(claims)
	if err != nil {
		return nil, err
	}
	job, err := oidc.TryWorkload(raw)
	if err != nil {
		return nil, err
	}
	given := false
	for _, r := range f.Workloads {
		t := triedRule{Rule: r.ID, Account: r.Account, Apps: r.Apps, Unmet: r.Unmet(job)}
		for _, s := range r.Scopes {
			t.Scopes = append(t.Scopes, string(s))
		}
		t.Gives = t.Unmet == "" && !given
		given = given || t.Gives
		tried = append(tried, t)
	}
	return tried, nil
}

func showTriedRules(w io.Writer, tried []triedRule) error {
	var rows [][]string
	for _, t := range tried {
		gives := "nothing: an earlier rule gives a token"
		switch {
		case t.Gives:
			gives = "a token of " + t.Account + " for " + reachOf(client.Credential{Scopes: t.Scopes, Apps: t.Apps})
		case t.Unmet != "":
			gives = "nothing: " + t.Unmet
		}
		rows = append(rows, []string{t.Rule, gives})
	}
	return table(w, "RULE GIVES", rows)
}
