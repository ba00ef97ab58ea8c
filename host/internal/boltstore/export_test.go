package boltstore

import "context"

// Sweep removes what has expired, now.
func (s *KV) Sweep() { s.sweep(context.Background()) }
