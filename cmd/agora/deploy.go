package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/registry/sigstore"
	"github.com/agora-host/agora/sdk/client"
)

const (
	manifestFile = "agora.toml"
	bundleSuffix = ".sigstore.json"
)

// deployCommands publish releases: once, or at each change (see dev.go).
type deployCommands struct{ *session }

func (c deployCommands) command() *cobra.Command {
	var module, bundle, key string
	var without unmanifested
	cmd := &cobra.Command{
		Use:   "deploy [DIRECTORY | SCRIPT | MANIFEST]",
		Short: "Sign and publish a release",
		Long: `Publishes the module beside a manifest. A bundle beside the module
(MODULE` + bundleSuffix + `) is used if it signs these bytes; otherwise the module
is signed now, as you.

A script in JavaScript or TypeScript (.js, .ts, .jsx, .tsx, .mjs, .mts) is built first, with
what it imports; nothing else has to be installed. It needs no manifest: one without
capabilities is made of its name. That becomes the app's name, too; of app.ts and
index.ts it is their directory's. Python (.py) is there as a preview: a subset of the
language, without packages (docs/python.md).`,
		Example: "  agora deploy examples/hello\n  agora deploy shortcuts.ts\n  agora deploy agora.toml --module target/wasm32-wasip1/release/app.wasm",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := locate(append(args, "")[0], module)
			if err != nil {
				return err
			}
			node, err := c.node()
			if err != nil {
				return err
			}
			return c.deploy(cmd.Context(), node, p, without, bundle, key)
		},
	}
	cmd.Flags().StringVar(&module, "module", "", "the .wasm file or the script (default: the one beside the manifest)")
	cmd.Flags().StringVar(&bundle, "bundle", "", "a sigstore bundle that signs the module")
	cmd.Flags().StringVar(&key, "key", "", "sign with this private key instead of as you")
	without.flags(cmd.Flags())
	return cmd
}

func (c deployCommands) deploy(ctx context.Context, node *client.Client, p project, without unmanifested, bundlePath, keyPath string) error {
	if err := c.deployingTo(ctx, node); err != nil {
		return err
	}
	steps := c.progress()
	if err := without.fill(ctx, node, steps, &p); err != nil {
		return err
	}
	published, err := publish(ctx, node, steps, p, bundlePath, keyPath)
	if err != nil {
		steps.stop()
		return err
	}
	steps.done()
	return c.print(published, func(w io.Writer) error {
		if published.Unchanged {
			if err := showUnchanged(ctx, w, node, published); err != nil {
				return err
			}
		}
		if err := c.showPublished(w, published); err != nil {
			return err
		}
		return noteLocalhost(w, published.URL)
	})
}

// publish builds and signs what is not built and signed, and uploads it.
func publish(ctx context.Context, node *client.Client, steps *progress, p project, bundlePath, keyPath string) (client.Published, error) {
	module, err := p.read(ctx, steps)
	if err != nil {
		return client.Published{}, err
	}
	module, left, err := withFiles(module, p.manifest, p.dir)
	if err != nil {
		return client.Published{}, err
	}
	if len(left) > 0 {
		steps.note(left.String())
	}
	steps.to("signing")
	bundle, err := bundleFor(ctx, node, module, p.module, bundlePath, keyPath)
	if err != nil {
		return client.Published{}, err
	}
	steps.to(fmt.Sprintf("uploading %s", humanize.Bytes(uint64(len(module)))))
	return node.Publish(ctx, p.manifest, module, bundle, steps.to)
}

// bundleFor finds or makes the signature: the file that was named, a key's, the
// file beside the module if it still fits, or one made now for who is signed in.
func bundleFor(ctx context.Context, node *client.Client, module []byte, modulePath, bundlePath, keyPath string) ([]byte, error) {
	if bundlePath != "" {
		return os.ReadFile(bundlePath)
	}
	if keyPath == "" {
		beside, err := os.ReadFile(modulePath + bundleSuffix)
		if err == nil {
			if _, err := verify(ctx, node, module, beside); err == nil {
				return beside, nil
			}
		}
	}
	return sign(ctx, node, module, keyPath)
}

// onlyModule finds the one module in a directory, or the script that becomes one.
func onlyModule(dir string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, "*.wasm"))
	if err != nil {
		return "", err
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		if script := onlySource(dir); script != "" {
			return script, nil
		}
		return "", usageError("there is no .wasm file in %s, nor an app.ts, app.js or app.py: build your app first (for Go: GOOS=wasip1 GOARCH=wasm go build -o app.wasm ., with -buildmode=c-shared for an app of the SDK), or name the file with --module", dir)
	}
	return "", usageError("there are %d .wasm files in %s: name the one to publish with --module", len(found), dir)
}

// showUnchanged says that an upload made no release, and which one serves.
func showUnchanged(ctx context.Context, w io.Writer, node *client.Client, p client.Published) error {
	r := p.Release
	if _, err := fmt.Fprintf(w, "Nothing changed: this module and manifest are release %d already (%s).\n", r.Number, r.Digest); err != nil || p.Active {
		return err
	}
	app, err := node.App(ctx, r.App)
	if err != nil {
		return err
	}
	if n := app.Active[abi.TierSandbox]; n > 0 {
		_, err = fmt.Fprintf(w, "The sandbox serves release %d.\n", n)
	}
	return err
}

// noteLocalhost says what to do where the names of apps on this machine are not known.
func noteLocalhost(w io.Writer, address string) error {
	note := localhostNote(address)
	if note == "" {
		return nil
	}
	_, err := fmt.Fprintln(w, note)
	return err
}

// localhostNote is about addresses below localhost, which RFC 6761 leads to this machine, though
// not every resolver does: browsers and curl do, Node, Python and some systems do not.
func localhostNote(address string) string {
	u, err := url.Parse(address)
	if err != nil || !strings.HasSuffix(u.Hostname(), ".localhost") {
		return ""
	}
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	return fmt.Sprintf("Browsers and curl find %[1]s by themselves. Node, Python and some systems do not: there, call\n127.0.0.1:%[2]s with the header Host: %[3]s, or curl --resolve %[1]s:%[2]s:127.0.0.1 %[4]s", u.Hostname(), port, u.Host, address)
}

func (c deployCommands) showPublished(w io.Writer, p client.Published) error {
	r := p.Release
	c.printFindings(p.Findings)
	if p.Active {
		fmt.Fprintf(w, "%s release %d serves in the sandbox: %s\n", r.App, r.Number, p.URL)
	} else if p.Unchanged && len(p.Requests) == 0 {
		fmt.Fprintf(w, "To have it serve: agora releases activate %s %d\n", r.App, r.Number)
	} else {
		fmt.Fprintf(w, "%s release %d is stored. It serves once a reviewer has decided:\n", r.App, r.Number)
		for _, q := range p.Requests {
			again := ""
			if q.Replaces != "" {
				again = ", instead of " + q.Replaces
			}
			fmt.Fprintf(w, "  %s  %s %s%s\n", q.ID, q.Kind, q.Capability, again)
		}
	}
	_, err := fmt.Fprintf(w, "This release alone: %s\n", p.Preview)
	return err
}

// signatureCommands make and check signatures of modules.
type signatureCommands struct{ *session }

func (c signatureCommands) sign() *cobra.Command {
	var key, out string
	cmd := &cobra.Command{
		Use:   "sign MODULE",
		Short: "Sign a module",
		Long: `Signs a module as you, with a key that exists for this signature only and a
certificate of the node's authority; or with a private key of your own. The
bundle is written beside the module.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			module, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			var node *client.Client
			if key == "" {
				if node, err = c.node(); err != nil {
					return err
				}
			}
			bundle, err := sign(cmd.Context(), node, module, key)
			if err != nil {
				return err
			}
			if out == "" {
				out = args[0] + bundleSuffix
			}
			if err := os.WriteFile(out, append(bundle, '\n'), 0o644); err != nil {
				return err
			}
			return c.print(map[string]any{"module": args[0], "digest": registry.DigestOf(module), "bundle": out}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "Signed %s\n%s\nBundle: %s\n", args[0], registry.DigestOf(module), out)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "private key (PEM) to sign with; see agora keys generate")
	cmd.Flags().StringVar(&out, "out", "", "where the bundle goes (default MODULE"+bundleSuffix+")")
	return cmd
}

// sign makes a bundle: with a private key if one is named, or as who is signed in.
func sign(ctx context.Context, node *client.Client, module []byte, keyPath string) ([]byte, error) {
	if keyPath != "" {
		key, err := readKey(keyPath)
		if err != nil {
			return nil, err
		}
		return sigstore.SignWithKey(module, key, nil)
	}
	return sigstore.SignWithIdentity(module,
		func(csr []byte) ([]byte, error) { return node.Certify(ctx, csr) },
		func(query []byte) ([]byte, error) { return node.Timestamp(ctx, query) })
}

func (c signatureCommands) verify() *cobra.Command {
	var bundlePath, rootPath, keyPath string
	cmd := &cobra.Command{
		Use:   "verify MODULE",
		Short: "Check a module's signature",
		Long: `Checks that the bundle beside a module signs exactly its bytes, and says who
signed. It is the check that the node makes, with the node's trust root and
registered keys, or with files of your own and no node at all.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			module, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			if bundlePath == "" {
				bundlePath = args[0] + bundleSuffix
			}
			bundle, err := os.ReadFile(bundlePath)
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%w: there is no %s; make it with `agora sign %s`", registry.ErrUnsigned, bundlePath, args[0])
			}
			if err != nil {
				return err
			}
			signer, err := c.verifyWith(cmd.Context(), module, bundle, rootPath, keyPath)
			if err != nil {
				return err
			}
			return c.print(signer, func(w io.Writer) error {
				how := "certified by " + signer.Issuer
				if signer.Method == "key" {
					how = "with the key " + signer.KeyHint
				}
				_, err := fmt.Fprintf(w, "Good: signed by %s, %s\n%s\n", orDash(signer.Identity), how, registry.DigestOf(module))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&bundlePath, "bundle", "", "the bundle (default MODULE"+bundleSuffix+")")
	cmd.Flags().StringVar(&rootPath, "trust-root", "", "a sigstore trusted root, instead of the node's")
	cmd.Flags().StringVar(&keyPath, "key", "", "the public key that must have signed, instead of the registered ones")
	return cmd
}

// verifyWith checks with files if they are named, and asks the node for what is not.
func (c signatureCommands) verifyWith(ctx context.Context, module, bundle []byte, rootPath, keyPath string) (registry.Signer, error) {
	if rootPath == "" && keyPath == "" {
		node, err := c.node()
		if err != nil {
			return registry.Signer{}, err
		}
		return verify(ctx, node, module, bundle)
	}
	var root, key []byte
	var err error
	if rootPath != "" {
		if root, err = os.ReadFile(rootPath); err != nil {
			return registry.Signer{}, err
		}
	}
	if keyPath != "" {
		if key, err = os.ReadFile(keyPath); err != nil {
			return registry.Signer{}, err
		}
	}
	return verifyOffline(module, bundle, root, key)
}

func verifyOffline(module, bundle, root, key []byte) (registry.Signer, error) {
	v, err := sigstore.NewVerifier(root)
	if err != nil {
		return registry.Signer{}, err
	}
	return v.Verify(module, bundle, func(hint string) (registry.Key, error) {
		if len(key) == 0 {
			return registry.Key{}, registry.ErrNotFound
		}
		known, err := sigstore.ParsePublicKey(key)
		if err != nil {
			return registry.Key{}, err
		}
		if known != hint {
			return registry.Key{}, registry.ErrNotFound
		}
		return registry.Key{Hint: hint, PEM: string(key), Identity: "the holder of the key", Added: time.Now()}, nil
	})
}

// verify checks with the node's trust root and keys, here.
func verify(ctx context.Context, node *client.Client, module, bundle []byte) (registry.Signer, error) {
	root, err := node.TrustRoot(ctx)
	if err != nil {
		return registry.Signer{}, err
	}
	v, err := sigstore.NewVerifier(root)
	if err != nil {
		return registry.Signer{}, err
	}
	return v.Verify(module, bundle, func(hint string) (registry.Key, error) {
		keys, err := node.Keys(ctx)
		if err != nil {
			return registry.Key{}, err
		}
		for _, k := range keys {
			if k.Hint == hint {
				return registry.Key{Hint: k.Hint, PEM: k.PEM, Identity: k.Identity, Added: k.Added}, nil
			}
		}
		return registry.Key{}, registry.ErrNotFound
	})
}
