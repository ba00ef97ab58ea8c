package registry

import (
	"errors"
	"fmt"
)

// StillTrusted is the part of verifying that can change: within a transaction it is asked whether
// the key that signed a release is still registered for its signer.
func StillTrusted(tx Reader, r Release) error {
	if r.Signer.Method != MethodKey {
		return nil
	}
	key, err := tx.Key(r.Signer.KeyHint)
	if err == nil && key.Identity == r.Signer.Identity {
		return nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return fmt.Errorf("release %d of %q was signed with the key %s, which does not sign for %s any more: sign the module again and upload it, or choose a release that another key signed: %w",
		r.Number, r.App, r.Signer.KeyHint, r.Signer.Identity, ErrUntrusted)
}
