package publishing

import (
	"errors"
	"fmt"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// maySign returns an error if a new release is signed by a person who is disabled: their keys may be
// out there still, and sign for nobody. Releases that were made before stay.
func maySign(tx state.Reader, r registry.Release) error {
	who, err := tx.Person(r.Signer.Identity)
	var u access.User
	if err == nil {
		u, err = tx.User(who.Name)
	}
	if errors.Is(err, access.ErrNotFound) || err == nil && !u.Disabled { // machines that are no users sign, too
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%s, who signed it, is disabled here: have somebody sign it who is not: %w", u.Name, registry.ErrUntrusted)
}
