package statetest_test

import (
	"testing"
	"time"

	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/statetest"
)

// TestMemoryConforms: the suite passes where the store is the model, so what fails of it elsewhere is
// the other store.
func TestMemoryConforms(t *testing.T) {
	statetest.TestStore(t, func(now func() time.Time) (state.Store, func()) { return statetest.NewMemory(now), func() {} })
}
