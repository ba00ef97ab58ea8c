package apps

import (
	"context"
	"fmt"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/internal/failpoint"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
)

// Vault keeps the apps' secrets. It shows no value: only capabilities open one.
type Vault struct {
	desk *control.Desk
	ring *secrets.Ring
}

// NewVault makes a Vault.
func NewVault(desk *control.Desk, ring *secrets.Ring) *Vault {
	return &Vault{desk: desk, ring: ring}
}

// Secrets lists an app's secrets, without their values, which are shown in no place: to the owner, to
// reviewers and to operators.
func (v *Vault) Secrets(ctx context.Context, name string, p control.Page) (all control.Items[control.Secret], err error) {
	actor, err := v.desk.Door(ctx, access.ListSecrets)
	if err != nil {
		return all, err
	}
	err = v.desk.View(ctx, func(tx state.Reader) error {
		if _, err := findFor(tx, actor, access.ListSecrets, name); err != nil {
			return err
		}
		all, err = secretsOf(tx, name, p)
		return err
	})
	return all, err
}

func secretsOf(tx state.Reader, app string, p control.Page) (none control.Items[control.Secret], err error) {
	found, err := control.Part(p, func(p state.Part) ([]secrets.Secret, []byte, error) { return tx.SecretsPart(app, p) })
	if err != nil {
		return none, err
	}
	return control.Shown(found, func(s secrets.Secret) (control.Secret, error) {
		return control.Secret{Name: s.Name, By: s.By, At: s.At}, nil
	})
}

// SetSecret seals a value for an app. The next call of the app reads it.
func (v *Vault) SetSecret(ctx context.Context, app, name string, value []byte) (control.Secret, error) {
	actor, err := v.desk.Door(ctx, access.SetSecrets)
	if err != nil {
		return control.Secret{}, err
	}
	if !abi.ValidSecretName(name) {
		return control.Secret{}, fmt.Errorf("%w: %.40q is no name: use lower-case letters, digits and single hyphens", secrets.ErrBadSecret, name)
	}
	if err := secrets.CheckValue(value); err != nil {
		return control.Secret{}, err
	}
	shown := control.Secret{Name: name, By: actor.User, At: v.desk.Now().UTC()}
	_, err = v.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		if _, err := findFor(tx, actor, access.SetSecrets, app); err != nil {
			return err
		}
		s := secrets.Secret{App: app, Name: name, By: shown.By, At: shown.At}
		s.Key, s.Sealed = v.ring.Seal(app, name, value)
		tx.Emit("secret.set", app, name, nil)
		return tx.PutSecret(s)
	})
	return shown, err
}

// DeleteSecret forgets a secret.
func (v *Vault) DeleteSecret(ctx context.Context, app, name string) error {
	actor, err := v.desk.Door(ctx, access.SetSecrets)
	if err != nil {
		return err
	}
	_, err = v.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		if _, err := findFor(tx, actor, access.SetSecrets, app); err != nil {
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

// RotateSecrets makes a new key, seals every secret with it, and forgets the earlier keys. Whatever it
// is interrupted in, every secret opens: the new key is durable before the first record needs it, and
// an earlier one goes when no record does. A process that is killed before the earlier ones are
// forgotten forgets them when it is started again, see FollowRotations.
func (v *Vault) RotateSecrets(ctx context.Context) (int, error) {
	actor, err := v.desk.May(ctx, access.Operate, access.TheNode)
	if err != nil {
		return 0, err
	}
	if err := v.ring.Add(); err != nil {
		return 0, err
	}
	var n int
	var newest string
	_, err = v.desk.Update(ctx, actor.User, func(tx state.Tx) (err error) {
		newest = v.ring.Newest()
		n, err = secrets.Reseal(tx, v.ring)
		tx.Emit("secrets.rotated", "", newest, nil)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, v.forgetKeys(ctx, newest)
}

// FollowRotations forgets, after each rotation, the keys that it replaced.
func (v *Vault) FollowRotations(ctx context.Context, events []abi.Event) error {
	for _, e := range events {
		if err := v.forgetKeys(ctx, e.Subject); err != nil {
			return err
		}
	}
	return nil
}

// forgetKeys drops the keys that are older than one with which every secret was sealed anew. Nothing is
// sealed with them any more, and what still is, whatever the reason, keeps its key. Keys that are
// younger belong to another rotation, which may not have come as far.
func (v *Vault) forgetKeys(ctx context.Context, olderThan string) error {
	failpoint.Hit("secrets-rotated")
	needed := map[string]bool{}
	err := v.desk.View(ctx, func(tx state.Reader) error {
		all, err := tx.Secrets("")
		for _, s := range all {
			needed[s.Key] = true
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read which keys are needed: %w", err)
	}
	return v.ring.Forget(olderThan, func(id string) bool { return needed[id] })
}
