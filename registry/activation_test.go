package registry_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/registry"
)

func TestPrevious(t *testing.T) {
	go1 := registry.Activation{Tier: abi.TierSandbox, Release: 1}
	go2 := registry.Activation{Tier: abi.TierSandbox, Release: 2}
	go3 := registry.Activation{Tier: abi.TierSandbox, Release: 3}
	back := func(n int) registry.Activation {
		return registry.Activation{Tier: abi.TierSandbox, Release: n, Rollback: true}
	}

	for _, c := range []struct {
		name    string
		history []registry.Activation // oldest first, as it happened
		want    int
	}{
		{"nothing yet", nil, 0},
		{"one release has nothing before it", []registry.Activation{go1}, 0},
		{"the one before", []registry.Activation{go1, go2}, 1},
		{"twice back goes two steps", []registry.Activation{go1, go2, go3, back(2)}, 1},
		{"back to the first is the end", []registry.Activation{go1, go2, back(1)}, 0},
		{"a new release after a rollback leads back to what was running", []registry.Activation{go1, go2, back(1), go3}, 1},
		{"activating an old release by hand is a step forward", []registry.Activation{go1, go2, go1}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			read := 0
			got, err := registry.Previous(func(yield func(registry.Activation, error) bool) {
				for _, a := range slices.Backward(c.history) {
					if read++; !yield(a, nil) {
						return
					}
				}
			})
			if c.want != 0 && c.history[len(c.history)-read].Release != c.want {
				t.Errorf("%d were read: more than it took", read)
			}
			if got != c.want {
				t.Errorf("Previous = %d, want %d", got, c.want)
			}
			if (c.want == 0) != errors.Is(err, registry.ErrNoPrevious) {
				t.Errorf("err = %v, want ErrNoPrevious exactly when there is nothing to go back to", err)
			}
		})
	}
}
