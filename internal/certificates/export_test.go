package certificates

import "context"

// Look has the store look at once what is due.
func (s *Store) Look() {
	select {
	case s.acme.wake <- struct{}{}:
	default:
	}
}

// ForgetAccount has the account asked for again: the directory has begun anew.
func (s *Store) ForgetAccount() {
	s.acme.mu.Lock()
	defer s.acme.mu.Unlock()
	s.acme.client = nil
}

// Ask returns what a handshake for a name that has no file ends with.
func (s *Store) Ask(ctx context.Context, name string) error {
	_, err := s.acme.certificate(ctx, name)
	return err
}
