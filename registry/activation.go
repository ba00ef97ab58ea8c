package registry

import (
	"iter"

	"github.com/agora-host/agora/abi"
)

// Previous is the release that a rollback of a tier leads to. A rollback takes
// a release off the history rather than adding one, so that rolling back twice
// goes two steps back instead of to and fro. newestFirst are activations of the
// tier, newest first, and are read no further than needed. ErrNoPrevious if the
// history ends.
func Previous(newestFirst iter.Seq2[Activation, error]) (int, error) {
	undone, found := 0, 0 // rollbacks that take off an earlier activation; releases that are left
	for a, err := range newestFirst {
		switch {
		case err != nil:
			return 0, err
		case a.Rollback:
			undone++
		case undone > 0:
			undone--
		case found == 1:
			return a.Release, nil
		default:
			found++
		}
	}
	return 0, ErrNoPrevious
}

// OfTier yields the activations of one tier, in their order.
func OfTier(all []Activation, tier abi.Tier) iter.Seq2[Activation, error] {
	return func(yield func(Activation, error) bool) {
		for _, a := range all {
			if a.Tier == tier && !yield(a, nil) {
				return
			}
		}
	}
}
