package node

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
)

// Secrets lists an app's secrets, without their values, which nobody is shown:
// to the owner, to reviewers and to operators.
func (h *Node) Secrets(ctx context.Context, name string, p control.Page) (all control.Items[control.Secret], err error) {
	actor, err := h.desk.Allow(ctx, access.RoleViewer)
	if err != nil {
		return all, err
	}
	err = h.store.View(ctx, func(tx state.Reader) error {
		app, err := tx.App(name)
		if err != nil {
			return fmt.Errorf("app %q: %w", name, err)
		}
		if !control.MayLookInto(actor, app.Owner) {
			return fmt.Errorf("the secrets of %q are for its owner %s, for reviewers and for operators: %w", name, app.Owner, access.ErrForbidden)
		}
		found, err := control.Part(p, func(p state.Part) ([]secrets.Secret, []byte, error) { return tx.SecretsPart(name, p) })
		if err != nil {
			return err
		}
		all, err = control.Shown(found, func(s secrets.Secret) (control.Secret, error) {
			return control.Secret{Name: s.Name, By: s.By, At: s.At}, nil
		})
		return err
	})
	return all, err
}

// SetSecret seals a value for an app. The next call of the app reads it.
func (h *Node) SetSecret(ctx context.Context, app, name string, value []byte) (control.Secret, error) {
	actor, err := h.desk.Allow(ctx, access.RoleDeveloper, access.RoleOperator)
	if err != nil {
		return control.Secret{}, err
	}
	if !abi.ValidSecretName(name) {
		return control.Secret{}, fmt.Errorf("%w: %.40q is no name: use lower-case letters, digits and single hyphens", secrets.ErrBadSecret, name)
	}
	if err := secrets.CheckValue(value); err != nil {
		return control.Secret{}, err
	}
	shown := control.Secret{Name: name, By: actor.User, At: h.o.Now().UTC()}
	_, err = h.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		found, err := tx.App(app)
		if err != nil {
			return fmt.Errorf("app %q: %w", app, err)
		}
		if err := control.MayChange(actor, found); err != nil {
			return err
		}
		s := secrets.Secret{App: app, Name: name, By: shown.By, At: shown.At}
		s.Key, s.Sealed = h.ring.Seal(app, name, value)
		tx.Emit("secret.set", app, name, nil)
		return tx.PutSecret(s)
	})
	return shown, err
}

// DeleteSecret forgets a secret.
func (h *Node) DeleteSecret(ctx context.Context, app, name string) error {
	actor, err := h.desk.Allow(ctx, access.RoleDeveloper, access.RoleOperator)
	if err != nil {
		return err
	}
	_, err = h.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		found, err := tx.App(app)
		if err != nil {
			return fmt.Errorf("app %q: %w", app, err)
		}
		if err := control.MayChange(actor, found); err != nil {
			return err
		}
		if err := tx.DeleteSecret(app, name); err != nil {
			return fmt.Errorf("secret %q of app %q: %w", name, app, err)
		}
		tx.Emit("secret.deleted", app, name, nil)
		return nil
	})
	return err
}

// RotateSecrets makes a new key, seals every secret with it, and forgets the
// earlier keys. Whatever it is interrupted in, every secret opens: the new key is
// durable before the first record needs it, and an earlier one goes when no
// record does.
func (h *Node) RotateSecrets(ctx context.Context) (int, error) {
	actor, err := h.desk.Allow(ctx, access.RoleOperator)
	if err != nil {
		return 0, err
	}
	if err := h.ring.Add(); err != nil {
		return 0, err
	}
	var n int
	_, err = h.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		n, err = secrets.Reseal(tx, h.ring)
		tx.Emit("secrets.rotated", "", h.ring.Newest(), nil)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, h.ring.Drop()
}

var secretsRemedy = abi.Remedy{Summary: "Restore the key file from a backup, or let the owners set these secrets again."}

// checkSecrets opens every secret, and keeps none.
func (h *Node) checkSecrets(ctx context.Context) Check {
	var all []secrets.Secret
	var problems []error
	err := h.store.View(ctx, func(tx state.Reader) (err error) {
		all, err = tx.Secrets("")
		return err
	})
	if err != nil {
		problems = append(problems, err)
	}
	for _, s := range all {
		if _, err := h.ring.Open(s); err != nil {
			problems = append(problems, &registry.Damage{File: filepath.Join(h.o.DataDir, secretsFile), Detail: err.Error()})
		}
	}
	return verdict("secrets", fmt.Sprintf("%d can be opened", len(all)), secretsRemedy, problems...)
}
