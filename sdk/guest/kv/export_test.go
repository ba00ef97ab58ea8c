//go:build !wasip1

package kv

import (
	"time"

	"github.com/agora-host/agora/abi"
)

// Fake is what stands in for the node.
type Fake struct{ *fake }

// NewFake makes one with nothing in it.
func NewFake(quota abi.KVQuota) Fake { return Fake{newFake(quota)} }

// Link is the fake as a guest would find it.
func (f Fake) Link() abi.Link { return f.link() }

// Pass lets time pass.
func (f Fake) Pass(d time.Duration) { f.passed += d }
