package registry

import (
	"slices"

	"github.com/agora-host/agora/abi"
)

// Previous is the release that a rollback of a tier leads to. A rollback takes
// a release off the history rather than adding one, so that rolling back twice
// goes two steps back instead of to and fro. Activations are newest first, as
// Tx.Activations gives them. ErrNoPrevious if the history ends.
func Previous(activations []Activation, tier abi.Tier) (int, error) {
	var history []int
	for _, a := range slices.Backward(activations) {
		switch {
		case a.Tier != tier:
		case a.Rollback && len(history) > 1:
			history = history[:len(history)-1]
		default:
			history = append(history, a.Release)
		}
	}
	if len(history) < 2 {
		return 0, ErrNoPrevious
	}
	return history[len(history)-2], nil
}
