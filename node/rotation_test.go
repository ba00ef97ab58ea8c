package node_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// TestRotationsAtOnce: whatever rotations and new secrets meet, no key goes that a secret needs.
func TestRotationsAtOnce(t *testing.T) {
	n := start(t, (*node.Options).RunOnce)
	n.publish(n.ada(), manifest("shop"), says("one"))
	owner, operators := n.ada(), []*client.Client{n.as(ops, access.RoleOperator), n.as("pat@example.com", access.RoleOperator)}
	var all sync.WaitGroup
	for _, c := range operators {
		all.Go(func() {
			for range 15 {
				if _, err := c.RotateSecrets(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() {
		for i := range 20 {
			if _, err := owner.SetSecret(t.Context(), "shop", fmt.Sprintf("s%d", i%5), []byte("value")); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
	checks, err := operators[0].Doctor(t.Context())
	if i := slices.IndexFunc(checks, func(c client.Check) bool { return c.Name == "secrets" }); err != nil || i < 0 || !checks[i].OK {
		t.Fatalf("the doctor says %+v, %v", checks, err)
	}
}
