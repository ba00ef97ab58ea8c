package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/registry/sigstore"
	"github.com/agora-host/agora/sdk/client"
)

// keyCommands are the commands about the public keys that sign for an identity.
type keyCommands struct{ *session }

func (c keyCommands) command() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List the public keys that sign for an identity", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			keys, err := node.Keys(ctx)
			if err != nil {
				return err
			}
			return c.print(keys, func(w io.Writer) error {
				var rows [][]string
				for _, k := range keys {
					rows = append(rows, []string{k.Hint, k.Identity, k.AddedBy, when(k.Added)})
				}
				return table(w, "KEY SIGNS-FOR ADDED-BY SINCE", rows)
			})
		}),
	}
	generate := &cobra.Command{
		Use: "generate [NAME]", Short: "Make a key pair: NAME.key and NAME.pub", Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			name := "agora"
			if len(args) == 1 {
				name = args[0]
			}
			return c.generate(name)
		},
	}
	var identity string
	challenge := &cobra.Command{
		Use: "challenge", Short: "Print the text that a key signs before it is added", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			text, err := node.KeyChallenge(ctx, identity)
			if err != nil {
				return err
			}
			return c.print(map[string]string{"text": text}, func(w io.Writer) error {
				_, err := io.WriteString(w, text)
				return err
			})
		}),
	}
	challenge.Flags().StringVar(&identity, "identity", "", "whom the key is to sign for (default you)")
	remove := &cobra.Command{
		Use: "delete KEY", Short: "Delete a key, which signs for no person from then on", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if err := node.DeleteKey(ctx, args[0]); err != nil {
				return err
			}
			return c.print(map[string]string{"deleted": args[0]}, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, "Deleted. Releases that only this key signed no longer load.")
				return err
			})
		}),
	}
	return noun("keys", "List the public keys that sign for an identity; make or delete one", c.limited(cmd),
		generate, challenge, c.create(), remove)
}

// create proves that a key is to sign for an identity, and registers it.
func (c keyCommands) create() *cobra.Command {
	var identity, keyPath, challengePath, proofPath string
	cmd := &cobra.Command{
		Use: "create [FILE]", Short: "Register a public key that signs for you", Args: cobra.MaximumNArgs(1),
		Long: `Registers a public key. Its private half has to agree, by signing a text of the node:
with --key this happens here, and the private key is not sent. A key that is kept
elsewhere signs the text of ` + "`agora keys challenge`" + ` with cosign, within an hour; an
operator who adds another person's key takes their proof the same way. Keys of
cosign are decrypted with COSIGN_PASSWORD.`,
		Example: `  agora keys create --key cosign.key
  agora keys challenge > challenge.txt
  cosign sign-blob --key cosign.key --bundle proof.json challenge.txt
  agora keys create cosign.pub --challenge challenge.txt --proof proof.json`,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			var public, challenge, proof []byte
			var err error
			if len(args) == 1 {
				if public, err = os.ReadFile(args[0]); err != nil {
					return err
				}
			}
			switch {
			case keyPath != "":
				public, challenge, proof, err = prove(ctx, node, keyPath, identity, public)
			case proofPath != "" && challengePath != "":
				if challenge, err = os.ReadFile(challengePath); err == nil {
					proof, err = os.ReadFile(proofPath)
				}
			case len(args) == 0:
				return usageError("name the key: agora keys create --key KEY")
			}
			if err != nil {
				return err
			}
			key, err := node.AddKey(ctx, string(public), identity, string(challenge), string(proof))
			if err != nil {
				return err
			}
			return c.print(key, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "The key %s signs for %s.\n", key.Hint, key.Identity)
				return err
			})
		}),
	}
	cmd.Flags().StringVar(&identity, "identity", "", "whom it signs for (default you)")
	cmd.Flags().StringVar(&keyPath, "key", "", "the private key, to prove it with")
	cmd.Flags().StringVar(&challengePath, "challenge", "", "the text of agora keys challenge that was signed")
	cmd.Flags().StringVar(&proofPath, "proof", "", "its signature, as cosign sign-blob writes it")
	return cmd
}

// prove signs a text of the node with a private key. If no public key is given, it is that of the
// private one.
func prove(ctx context.Context, node *client.Client, keyPath, identity string, public []byte) (pub, challenge, proof []byte, err error) {
	private, err := readKey(keyPath)
	if err != nil {
		return nil, nil, nil, err
	}
	if public == nil {
		if public, err = sigstore.PublicOf(private); err != nil {
			return nil, nil, nil, err
		}
	}
	text, err := node.KeyChallenge(ctx, identity)
	if err != nil {
		return nil, nil, nil, err
	}
	proof, err = sigstore.SignWithKey([]byte(text), private, nil)
	return public, []byte(text), proof, err
}

// readKey reads a private key of agora's or of cosign's.
func readKey(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return sigstore.OpenKey(text, func() ([]byte, error) { return []byte(os.Getenv("COSIGN_PASSWORD")), nil })
}

func (c keyCommands) generate(name string) error {
	private, public, err := sigstore.GenerateKey()
	if err != nil {
		return err
	}
	// O_EXCL: a private key is never overwritten.
	f, err := os.OpenFile(name+".key", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(private); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.WriteFile(name+".pub", public, 0o644); err != nil {
		return err
	}
	return c.print(map[string]string{"private": name + ".key", "public": name + ".pub"}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "Keep %s.key to yourself. Register the other half:\n  agora keys create --key %s.key\n", name, name)
		return err
	})
}

// userCommands are the commands about users and their roles; user.go has those about one user.
type userCommands struct{ *session }

func (c userCommands) command() *cobra.Command {
	var f client.UserFilter
	cmd := &cobra.Command{
		Use: "list", Short: "List users, with their roles", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			users, err := node.FindUsers(ctx, f)
			if err != nil {
				return err
			}
			return c.print(users, func(w io.Writer) error {
				var rows [][]string
				for _, u := range users {
					rows = append(rows, []string{u.Name, orDash(strings.Join(allRoles(u), ",")), stateOf(u), when(u.Created)})
				}
				return table(w, "USER ROLES STATE SINCE", rows)
			})
		}),
	}
	link := &cobra.Command{
		Use: "invite USER", Short: "Make a one-time sign-in link for a user", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			url, err := node.Invite(ctx, args[0])
			if err != nil {
				return err
			}
			return c.print(map[string]string{"url": url}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s\nIt works once, within 15 minutes.\n", url)
				return err
			})
		}),
	}
	rename := &cobra.Command{
		Use: "rename USER NEW", Short: "Give a user another name", Args: cobra.ExactArgs(2),
		Long: `Gives a user another name, such as a new mail address. Their apps, keys, tokens,
requests and decisions stay theirs, and what they signed verifies as theirs. The
old name stays theirs too: no other person is given it.`,
		Example: "  agora users rename ada@example.com ada.lovelace@example.com",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			user, err := node.RenameUser(ctx, args[0], args[1])
			if err != nil {
				return err
			}
			return c.print(user, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s is %s now.\n", args[0], user.Name)
				return err
			})
		}),
	}
	cmd.Flags().StringVar(&f.Role, "role", "", "only those who have this role")
	cmd.Flags().StringVar(&f.Name, "name", "", "only those whose name has this part")
	return noun("users", "Manage users and roles (for operators)", c.limited(cmd), c.show(), c.set(), rename, link, c.disconnect(), c.links())
}

// tokenCommands are the commands about API tokens.
type tokenCommands struct{ *session }

func (c tokenCommands) command() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List your API tokens", Args: cobra.NoArgs,
		RunE: c.withNode(func(ctx context.Context, node *client.Client, _ []string) error {
			tokens, err := node.Tokens(ctx)
			if err != nil {
				return err
			}
			return c.print(tokens, func(w io.Writer) error {
				var rows [][]string
				for _, t := range tokens {
					rows = append(rows, []string{t.ID, orDash(t.Label), reachOf(t), when(t.Created), when(t.Used), when(t.Expires)})
				}
				return table(w, "TOKEN LABEL MAY MADE USED ENDS", rows)
			})
		}),
	}
	revoke := &cobra.Command{
		Use: "revoke TOKEN", Short: "Revoke a token", Args: cobra.ExactArgs(1),
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			if err := node.RevokeToken(ctx, args[0]); err != nil {
				return err
			}
			return c.print(map[string]string{"revoked": args[0]}, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, "Revoked.")
				return err
			})
		}),
	}
	return noun("tokens", "List your API tokens; make, exchange or revoke one", c.limited(cmd), c.create(), c.exchange(), revoke)
}

// reachOf says what a token may do, in one word of a table.
func reachOf(t client.Credential) string {
	text := strings.Join(t.Scopes, ",")
	if text == string(access.ScopeAll) {
		text = "everything-you-may"
	}
	if len(t.Apps) > 0 {
		text += "@" + strings.Join(t.Apps, ",")
	}
	return text
}

func (c tokenCommands) create() *cobra.Command {
	var days int
	var t client.NewToken
	cmd := &cobra.Command{
		Use: "create LABEL", Short: "Make a token for a program", Args: cobra.ExactArgs(1),
		Long:    "Makes a token, which may do what its scopes name and you may, too. Without --scope it\nreads apps, requests and usage. The scopes:\n\n" + scopeTable() + "\nA token for backups is made within 15 minutes of signing in to the console, or with\na token that has that scope, and lives at most 31 days.",
		Example: "  agora tokens create prometheus --scope metrics:read --days 365\n  agora tokens create ci --scope apps:read --scope apps:publish --app shop",
		RunE: c.withNode(func(ctx context.Context, node *client.Client, args []string) error {
			t.Label, t.Hours = args[0], days*24
			made, err := node.NewToken(ctx, t)
			if err != nil {
				return err
			}
			return c.printToken(made)
		}),
	}
	cmd.Flags().IntVar(&days, "days", 90, "how long it lives; 0 for ever")
	cmd.Flags().StringSliceVar(&t.Scopes, "scope", nil, "what it may do; may be repeated")
	cmd.Flags().StringSliceVar(&t.Apps, "app", nil, "bind it to this app; may be repeated")
	_ = cmd.RegisterFlagCompletionFunc("scope", cobra.FixedCompletions(access.ScopeWords(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func scopeTable() string {
	var b strings.Builder
	for _, s := range access.Scopes() {
		fmt.Fprintf(&b, "  %-16s %s\n", s.Scope, s.Meaning)
	}
	return b.String()
}

// printToken prints a token that was made: its secret alone goes to standard output.
func (s *session) printToken(made client.Token) error {
	return s.print(made, func(w io.Writer) error {
		fmt.Fprintf(s.err, "It may: %s. Shown this once:\n", strings.ReplaceAll(reachOf(made.Credential), ",", ", "))
		_, err := fmt.Fprintln(w, made.Secret)
		return err
	})
}
