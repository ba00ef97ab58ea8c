package registrytest_test

import (
	"testing"

	"github.com/agora-host/agora/registry/registrytest"
)

func TestMemoryConforms(t *testing.T) {
	registrytest.TestStore(t, func() (registrytest.Store, func()) { return &registrytest.Memory{}, func() {} })
}
